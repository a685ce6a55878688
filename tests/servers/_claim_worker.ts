// A process that claims a checkpoint and saves numbers, by a watch or one when it is told to. Tells on stdout what it did.
import { createInterface } from "node:readline";
import process from "node:process";
import { S3, type S3ClientConfig } from "@aws-sdk/client-s3";
import type { CheckpointStore } from "@koprs/external/checkpoint";
import { ConfigMapCheckpointStore } from "@koprs/external/checkpoints/config_map";
import { FileCheckpointStore } from "@koprs/external/checkpoints/file";
import { ObjectCheckpointStore } from "@koprs/external/checkpoints/object";
import { ExternalError } from "@koprs/external/error";
import { inCluster } from "@koprs/external/kubernetes";
import { S3Store } from "@koprs/external/stores/s3";
import { type ExternalSource, watchExternal } from "@koprs/external/watcher";
import { trusting } from "./_pod.ts";

/** Where the checkpoints are. */
export type ClaimPlace =
  | { readonly kind: "s3"; readonly client: S3ClientConfig; readonly bucket: string }
  | { readonly kind: "folder"; readonly folder: string }
  | {
    readonly kind: "config map";
    readonly mounted: string;
    readonly ca: string;
    readonly namespace: string;
  };

/** What a worker is told, as JSON in its first argument. */
export interface ClaimWorkerOptions {
  readonly place: ClaimPlace;
  readonly key: string;
  /** True: a watch saves one number after the other. Else it saves one for each line that it is sent. */
  readonly watch: boolean;
}

/** One line of what it tells. */
export type ClaimLine =
  | { readonly claimed: number | null }
  | { readonly saved: number }
  | { readonly failed: string; readonly message: string };

function tell(line: ClaimLine): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

function open(place: ClaimPlace): Required<CheckpointStore> {
  if (place.kind === "folder") return new FileCheckpointStore(place.folder);
  if (place.kind === "s3") {
    return new ObjectCheckpointStore(new S3Store(new S3(place.client), place.bucket));
  }
  const { mounted, ca, namespace } = place;
  return new ConfigMapCheckpointStore(inCluster({ folder: mounted, ...trusting(ca) }), {
    namespace,
  });
}

const { place, key, watch }: ClaimWorkerOptions = JSON.parse(process.argv[2] ?? "");
const store = open(place);
let number = 0;

async function claim(): Promise<Uint8Array | undefined> {
  const state = await store.claim(key);
  number = Number(new TextDecoder().decode(state));
  tell({ claimed: state === undefined ? null : number });
  return state;
}

async function save(state: Uint8Array): Promise<void> {
  await store.save(key, state);
  tell({ saved: Number(new TextDecoder().decode(state)) });
}

function stateOf(number: number): Uint8Array {
  return new TextEncoder().encode(`${number}`);
}

/** Each poll finds a number that is greater by one. */
const source: ExternalSource<number> = {
  name: key,
  poll: () => Promise.resolve([{ type: "added", item: ++number }]),
  save: () => stateOf(number),
  restore: () => {},
};

try {
  if (watch) {
    const checkpoint = { load: claim, save: (_: string, state: Uint8Array) => save(state) };
    for await (const _ of watchExternal(source, { interval: 1, checkpoint, logger: false }));
  } else {
    await claim();
    for await (const _ of createInterface({ input: process.stdin })) await save(stateOf(++number));
  }
} catch (error) {
  if (!(error instanceof ExternalError)) throw error;
  tell({ failed: error.code, message: error.message });
}
process.exit(0);
