/** What the tests of `follow` share: a stream of desired items that the test writes. */
import { CollectionPoller, type ExternalEvent } from "@koprs/external";
import { type FollowOptions, WatchGroup } from "@koprs/external/group";
import { settle } from "../watch/_watch.ts";

export interface Wanted {
  readonly name: string;
  readonly url: string;
}
type Word = ExternalEvent<Wanted>;

/** A stream that the test writes. */
export class Words implements AsyncIterable<Word> {
  readonly #stream: ReadableStream<Word>;
  #controller!: ReadableStreamDefaultController<Word>;

  constructor() {
    this.#stream = new ReadableStream({
      start: (controller) => void (this.#controller = controller),
    });
  }

  [Symbol.asyncIterator](): AsyncIterator<Word> {
    return this.#stream[Symbol.asyncIterator]();
  }

  async say(type: Word["type"], name: string, url = "1"): Promise<void> {
    this.#controller.enqueue({ type, item: { name, url } } as Word);
    await settle();
  }

  end(): void {
    this.#controller.close();
  }

  fail(error: unknown): void {
    this.#controller.error(error);
  }
}

/** The key of an item: its name. */
export const key = ({ name }: Wanted): string => name;

/** A source with the URL as its one item. */
export const list = (name: string, url: string): CollectionPoller<string> =>
  new CollectionPoller({
    name,
    async *list() {
      yield [url];
    },
    key: (item) => item,
  });

/** A group that follows words, and polls a list for each. */
export function followLists(options?: Partial<FollowOptions<Wanted>>) {
  const group = new WatchGroup<string>({ interval: 1, jitter: 0 });
  const words = new Words();
  const reader = group.getReader();
  const following = group.follow(words, ({ name, url }) => ({ source: list(name, url) }), {
    key,
    ...options,
  });
  return { group, words, reader, following };
}
