// The program that tests/state/_kill.ts starts, kills and starts again: watches one thing, and appends what it is told
// to a log before it asks for more, or when a handler has done its work.
import { appendFileSync } from "node:fs";
import process from "node:process";
import {
  type ExternalEvent,
  type ExternalSource,
  HttpPoller,
  ObjectStorePoller,
  watchExternal,
} from "@koprs/external";
import { FileCheckpointStore } from "@koprs/external/checkpoints/file";
import { ObjectCheckpointStore } from "@koprs/external/checkpoints/object";
import type { HttpResource } from "@koprs/external/http";
import type { ObjectMeta, ObjectStore } from "@koprs/external/store";
import { LocalStore } from "@koprs/external/stores/local";
import type { WorkerOptions } from "./_kill.ts";

const { log, target, checkpoint, interval, pause, handlers, poison }: WorkerOptions = JSON.parse(
  process.argv[2] as string,
);

function report(line: unknown): void {
  appendFileSync(log, JSON.stringify(line) + "\n"); // Survives the process, as it is the kernel's by then.
}

function say(word: string): void {
  process.stdout.write(word + "\n");
}

async function openStore(): Promise<ObjectStore> {
  if (target.kind === "local") return new LocalStore(target.folder);
  if (target.kind === "http") throw new Error("HTTP is no store");
  const [{ S3 }, { S3Store }] = await Promise.all([
    import("@aws-sdk/client-s3"),
    import("@koprs/external/stores/s3"),
  ]);
  return new S3Store(new S3(target.client), target.bucket);
}

const store = target.kind === "http" ? undefined : await openStore();
const source: ExternalSource<HttpResource | ObjectMeta> = store === undefined
  ? new HttpPoller(target.kind === "http" ? target.url : "")
  : new ObjectStorePoller(store, { prefix: target.kind === "s3" ? "data/" : "" });

/** The source, saying when it is polled. */
const observed: typeof source = {
  name: source.name,
  poll(options) {
    report({ type: "poll" });
    say("poll");
    return source.poll(options);
  },
  save: () => source.save?.() as Uint8Array,
  restore: (state) => source.restore?.(state),
  ...(source.acknowledgement && { acknowledgement: source.acknowledgement }),
};

report({ type: "start" });
const watch = watchExternal(observed, {
  interval,
  checkpoint: "folder" in checkpoint
    ? new FileCheckpointStore(checkpoint.folder)
    : new ObjectCheckpointStore(store as ObjectStore, { prefix: checkpoint.prefix }),
  logger: false,
  minBackoff: 2,
  onError: ({ code, message }) => {
    if (code !== "handler") report({ type: "failed", message });
  },
});
watch.synced.then(() => say("synced"), () => {});

type Event = ExternalEvent<HttpResource | ObjectMeta>;

function handled({ type, item }: Event): void {
  const [key, version] = "key" in item
    ? [item.key, `${item.etag} ${item.size}`]
    : ["resource", item.text()];
  report({ type, key, version });
}

const busy = new Set<string>();

async function handle(event: Event): Promise<void> {
  const key = "key" in event.item ? event.item.key : "resource";
  if (busy.has(key)) report({ type: "failed", message: `two handlers for ${key}` });
  busy.add(key);
  // So that they end in any order.
  await new Promise((resolve) => setTimeout(resolve, Math.random() * 4 * pause));
  busy.delete(key);
  if (poison && (key.endsWith("7") || Math.random() < 0.1)) {
    report({ type: "aside", key });
    throw new Error("poison");
  }
  handled(event);
}

try {
  if (handlers !== undefined) await watch.handle(handle, { concurrency: handlers });
  for await (const event of handlers === undefined ? watch : []) {
    handled(event);
    if (pause > 0) await new Promise((resolve) => setTimeout(resolve, pause));
  }
} catch (error) {
  report({ type: "ended", message: (error as Error).message });
  say("ended");
  process.exit(3);
}
