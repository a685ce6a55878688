// One process of several that share sources: a group over HTTP, its state in a bucket, its events on stdout.
import process from "node:process";
import { createInterface } from "node:readline";
import { S3 } from "@aws-sdk/client-s3";
import { ObjectCheckpointStore } from "@koprs/external/checkpoints/object";
import { CollectionPoller } from "@koprs/external/collection";
import { type GroupOwner, WatchGroup } from "@koprs/external/group";
import { S3Store } from "@koprs/external/stores/s3";

/** What a worker is told, as JSON in its first argument. */
export interface GroupWorkerOptions {
  readonly origin: string;
  readonly sources: readonly string[];
  readonly bucket: string;
  readonly client: Record<string, unknown>;
  /** Milliseconds for which a word about ownership holds. */
  readonly lease: number;
}

/** What it is told on stdin, again and again: the sources that it owns from then on. */
export interface GroupWorkerWord {
  readonly word: number;
  readonly owned: readonly string[];
}

export interface Item {
  readonly key: string;
  readonly version: number;
}

/** What it tells: an event, or the word that it has taken in. `at` is the clock of the machine. */
export type GroupWorkerLine =
  | { readonly at: number; readonly source: string; readonly type: string; readonly item: Item }
  | { readonly heard: number };

/** What was told last holds for a while, by a clock that goes on while the process is frozen. */
class ToldOwner implements GroupOwner {
  #owned: ReadonlySet<string> = new Set();
  #until = 0;
  #wake: () => void = () => {};

  take({ owned }: GroupWorkerWord): void {
    const before = this.#owned;
    this.#owned = new Set(owned);
    const lapsed = performance.now() > this.#until;
    this.#until = performance.now() + options.lease;
    if (lapsed || before.symmetricDifference(this.#owned).size > 0) this.#wake();
  }

  owns(name: string): boolean {
    return performance.now() < this.#until && this.#owned.has(name);
  }

  get changes(): AsyncIterable<void> {
    return this.#changes();
  }

  async *#changes(): AsyncGenerator<void> {
    for (;;) {
      await new Promise<void>((resolve) => this.#wake = resolve);
      yield;
    }
  }
}

const options: GroupWorkerOptions = JSON.parse(process.argv[2] ?? "{}");
const tell = (line: GroupWorkerLine) => process.stdout.write(`${JSON.stringify(line)}\n`);
const owner = new ToldOwner();
createInterface({ input: process.stdin }).on("line", (line) => {
  const word: GroupWorkerWord = JSON.parse(line);
  owner.take(word);
  // Behind what the group does about it.
  setTimeout(() => tell({ heard: word.word }), 5);
});

const store = new S3Store(new S3(options.client), options.bucket);
const group = new WatchGroup<Item>({
  interval: 20,
  maxBackoff: 100,
  owner,
  checkpoint: new ObjectCheckpointStore(store, { prefix: "state/" }),
  logger: false,
});
for (const name of options.sources) {
  group.add(
    new CollectionPoller<Item>({
      name,
      async *list({ signal }) {
        const response = await fetch(`${options.origin}/${name}`, { signal });
        yield await response.json() as Item[];
      },
      key: ({ key }) => key,
    }),
  );
}
for await (const { source, type, item } of group) tell({ at: Date.now(), source, type, item });
