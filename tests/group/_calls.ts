/** What the tests of the handlers of a group share: handlers that end when the test says so, and lists that it changes. */
import {
  CollectionPoller,
  type ExternalError,
  type GroupEvent,
  type GroupOptions,
  WatchGroup,
} from "@koprs/external";
import { settle } from "../watch/_watch.ts";

/** A handler whose every call the test ends. */
export class Calls {
  readonly all: {
    readonly event: GroupEvent<string>;
    readonly signal: AbortSignal;
    readonly attempt: number;
    readonly done: () => Promise<void>;
    readonly fail: (error?: unknown) => Promise<void>;
  }[] = [];
  running = 0;
  most = 0;

  readonly handler = (
    event: GroupEvent<string>,
    { signal, attempt }: { readonly signal: AbortSignal; readonly attempt: number },
  ): Promise<void> =>
    new Promise((resolve, reject) => {
      this.most = Math.max(this.most, ++this.running);
      this.all.push({
        event,
        signal,
        attempt,
        done: () => (this.running--, resolve(), settle()),
        fail: (error = new Error("no")) => (this.running--, reject(error), settle()),
      });
    });

  get short(): string[] {
    return this.all.map(({ event: { source, type, item } }) => `${source} ${type} ${item}`);
  }
}

/** Lists that the test changes, in a group without jitter. */
export function lists(options: Partial<GroupOptions> = {}) {
  const items = new Map<string, string[]>();
  const errors: ExternalError[] = [];
  const group = new WatchGroup<string>({
    interval: 1,
    minBackoff: 1,
    jitter: 0,
    logger: false,
    onError: (error) => errors.push(error),
    ...options,
  });
  const poller = (name: string) =>
    new CollectionPoller<string>({
      name,
      async *list() {
        yield items.get(name) ?? [];
      },
      key: (item) => item.slice(0, 1),
    });
  const add = (name: string, ...list: string[]) => {
    items.set(name, list);
    group.add(poller(name));
  };
  return { items, errors, group, add };
}

/** Lets things happen until something holds. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await settle();
}
