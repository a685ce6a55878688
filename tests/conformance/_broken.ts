/** Stores and sources that break one rule each, and the tests that must tell. */
import { ExternalError, type ExternalSource, type PollOptions } from "@koprs/external";
import {
  type ListOptions,
  type ObjectMeta,
  type ObjectStore,
  ObjectStorePoller,
} from "@koprs/external/store";
import { MemoryStore } from "@koprs/external/stores/memory";
import type { SourceFixture, StoreFixture } from "@koprs/external/testing";
import { type ScannedPage, scanPages } from "../../_listing/scan.ts";

/** One way to be wrong. `fails` names every test that must fail; none: the good one. */
export interface Broken<F> {
  readonly name: string;
  readonly fails: readonly string[];
  setUp(): Promise<F>;
}

/** A MemoryStore whose listings fail on demand. */
export class FaultyStore implements ObjectStore {
  readonly name: string = "memory://";
  readonly ranged: boolean = true;
  readonly inner: MemoryStore = new MemoryStore({ pageSize: 10 });
  /** The page of the next listing that fails, from 1. */
  fault = Infinity;
  vanished = false;

  async *list(options?: ListOptions): AsyncGenerator<readonly ObjectMeta[]> {
    const fault = this.fault;
    this.fault = Infinity;
    this.check();
    let page = 0;
    for await (const objects of this.inner.list(options)) {
      if (++page === fault) throw new Error("down");
      yield objects;
    }
    if (page === 0 && fault === 1) throw new Error("down");
  }

  get(...args: Parameters<MemoryStore["get"]>): Promise<ReadableStream<Uint8Array>> {
    return this.inner.get(...args);
  }

  put(...args: Parameters<MemoryStore["put"]>): Promise<{ readonly etag: string }> {
    return this.inner.put(...args);
  }

  protected check(): void {
    if (this.vanished) throw new Error("no such bucket");
  }
}

/** What the suite needs to test such a store. */
export function storeFixture(store: FaultyStore, more: Partial<StoreFixture> = {}): StoreFixture {
  const { inner } = store;
  return {
    store,
    put: (key, body) => inner.put(key, body),
    delete: (key) => inner.delete(key),
    pageSize: 10,
    sameContentIsNoChange: true,
    vanish: () => store.vanished = true,
    failPage: (n) => store.fault = n,
    close: () => {},
    ...more,
  };
}

function broken(
  name: string,
  fails: readonly string[],
  store: new () => FaultyStore,
  more?: Partial<StoreFixture>,
): Broken<StoreFixture> {
  return { name, fails, setUp: () => Promise.resolve(storeFixture(new store(), more)) };
}

/** A store that changes each page on its way out. */
function changing(change: (page: readonly ObjectMeta[], n: number) => readonly ObjectMeta[]) {
  return class extends FaultyStore {
    override async *list(options?: ListOptions) {
      let n = 0;
      for await (const page of super.list(options)) yield change(page, ++n);
    }
  };
}

/** A store that changes what is asked of it. */
function asking(change: (options: ListOptions) => ListOptions) {
  return class extends FaultyStore {
    override list(options: ListOptions = {}) {
      return super.list(change(options));
    }
  };
}

let time = 0;

const EMPTY = "an empty store lists nothing";
const ADDED = "what is put is added, and after that no event";
const REWRITE = "a rewrite of the same size is modified and carries the previous state";
const DELETED = "what is deleted is removed and carries its last state";
const SAME = "the same content written again is no event";
const EXACT = "keys are exact";
const PREFIX = "a prefix is a plain string";
const GET = "get streams the exact bytes";
const GET_404 = "get of a missing key rejects with status 404";
const GET_412 = "get with the ETag of an event gives that content or rejects with status 412";
const VANISHED = "a vanished root fails the poll and removes nothing";
const TWO = "two pollers on one store each see every change";
const SAVED = "state saved by one poller goes on in another";
const HISTORY = "replay equals reality over a random history";
const PUT_NEW = "put with ifNoneMatch writes only what is not there";
const PUT_OVER = "put with ifMatch writes only over that state";
const WHOLE = "a listing over several pages is whole";
const ORDER = "a ranged store lists in the byte order of UTF-8";
const BOUNDS = "a range leaves out `after` and takes in `until`";
const RANGES = "random ranges together are the whole listing";
const ABORTED = "a listing with an aborted signal rejects with its reason";
const ABORT_FIRST = "an abort during the first page ends a listing";
const ABORT_BETWEEN = "an abort between pages ends a listing";
const ABORT_POLL = "an abort at any page fails the poll and loses nothing";
const FAULT = "a fault on any page fails the poll and loses nothing";

export const brokenStores: readonly Broken<StoreFixture>[] = [
  broken("nothing", [], FaultyStore),
  broken(
    "shows its password",
    ["the name is a non-empty string without user info"],
    class extends FaultyStore {
      override readonly name = "dav://user:password@host/";
    },
  ),
  broken(
    "has no empty listing",
    [EMPTY, HISTORY, PUT_OVER],
    class extends FaultyStore {
      override async *list(options?: ListOptions) {
        let any = false;
        for await (const page of super.list(options)) {
          any = true;
          yield page;
        }
        const { prefix, after, until } = options ?? {};
        if (!any && (prefix ?? after ?? until) === undefined) throw new Error("nothing there");
      }
    },
  ),
  broken(
    "tells times in seconds",
    ["an object is listed with its key, size and time"],
    changing((page) =>
      page.map((object) => ({ ...object, lastModified: (object.lastModified ?? 0) / 1000 }))
    ),
  ),
  broken(
    "counts characters",
    ["an object is listed with its key, size and time"],
    changing((page) => page.map((object) => object.size === 7 ? { ...object, size: 6 } : object)),
  ),
  broken(
    "drops the last page",
    [EXACT, WHOLE, RANGES, ABORT_POLL, FAULT],
    changing((page, n) => n === 3 ? [] : page),
  ),
  broken("ignores the prefix", [PREFIX, BOUNDS], asking(({ prefix: _, ...options }) => options)),
  broken(
    "takes the prefix for a folder",
    [PREFIX],
    asking((options) =>
      options.prefix === undefined || options.prefix === ""
        ? options
        : { ...options, prefix: options.prefix.replace(/\/?$/, "/") }
    ),
  ),
  broken(
    "is unordered though ranged",
    [ORDER, BOUNDS, RANGES],
    changing((page) => page.toReversed()),
  ),
  broken(
    "is in UTF-16 order though ranged",
    [ORDER, BOUNDS, RANGES],
    changing((page) => page.toSorted((a, b) => a.key < b.key ? -1 : 1)),
  ),
  broken(
    "takes in `after`",
    [BOUNDS, RANGES],
    asking((options) =>
      options.after === undefined ? options : { ...options, after: options.after.slice(0, -1) }
    ),
  ),
  broken(
    "leaves out `until`",
    [BOUNDS, RANGES],
    class extends FaultyStore {
      override async *list(options?: ListOptions) {
        for await (const page of super.list(options)) {
          yield page.filter((object) => object.key !== options?.until);
        }
      }
    },
  ),
  broken(
    "ignores ranges",
    [BOUNDS, RANGES],
    asking(({ after: _, until: __, ...options }) => options),
  ),
  broken(
    "returns instead of throwing on a fault",
    [FAULT],
    class extends FaultyStore {
      override async *list(options?: ListOptions) {
        try {
          yield* super.list(options);
        } catch (error) {
          if ((error as Error).message !== "down") throw error;
        }
      }
    },
  ),
  broken(
    "ignores the signal",
    [ABORTED, ABORT_FIRST, ABORT_BETWEEN],
    asking(({ signal: _, ...options }) => options),
  ),
  broken(
    "looks at the signal only once",
    [ABORT_FIRST, ABORT_BETWEEN],
    class extends FaultyStore {
      override list(options: ListOptions = {}) {
        const { signal, ...others } = options;
        return super.list(signal?.aborted ? options : others);
      }
    },
  ),
  broken(
    "rejects with another error than the reason",
    [ABORTED, ABORT_FIRST, ABORT_BETWEEN],
    class extends FaultyStore {
      override async *list(options?: ListOptions) {
        try {
          yield* super.list(options);
        } catch (error) {
          throw options?.signal?.aborted ? new DOMException("stopped", "AbortError") : error;
        }
      }
    },
  ),
  broken(
    "hangs when aborted",
    [ABORT_FIRST, ABORT_BETWEEN],
    class extends FaultyStore {
      override async *list(options?: ListOptions) {
        for await (const page of super.list({ ...options })) {
          yield page;
          if (options?.signal?.aborted) await new Promise(() => {});
        }
      }
    },
  ),
  broken(
    "hangs when left early",
    ["a listing can be left early"],
    class extends FaultyStore {
      override async *list(options?: ListOptions) {
        let whole = false;
        try {
          yield* super.list(options);
          whole = true;
        } finally {
          if (!whole && options?.signal === undefined && !this.vanished) {
            await new Promise(() => {});
          }
        }
      }
    },
  ),
  broken(
    "mangles %2F",
    [EXACT, PREFIX],
    changing((page) =>
      page.map((object) => ({ ...object, key: object.key.replaceAll("%2F", "/") }))
    ),
  ),
  broken(
    "trims keys",
    [EXACT],
    changing((page) => page.map((object) => ({ ...object, key: object.key.trim() }))),
  ),
  broken(
    "gets the content of another key",
    [EXACT],
    class extends FaultyStore {
      override get(...[key, options]: Parameters<MemoryStore["get"]>) {
        return super.get(key === "p q" ? "p+q" : key, options);
      }
    },
  ),
  broken(
    "takes a vanished root for an empty one",
    [VANISHED],
    class extends FaultyStore {
      protected override check() {}
      override list(options?: ListOptions) {
        return super.list(
          this.vanished ? { ...options, prefix: "there is nothing here" } : options,
        );
      }
    },
  ),
  broken(
    "has an ETag that never changes",
    [REWRITE, GET_412, SAVED, PUT_NEW],
    changing((page) => page.map((object) => ({ ...object, etag: '"1"' }))),
  ),
  broken(
    "has an ETag that always changes",
    [
      ADDED,
      REWRITE,
      DELETED,
      SAME,
      GET_412,
      TWO,
      SAVED,
      HISTORY,
      PUT_NEW,
      "a poll sees what list lists",
      RANGES,
      FAULT,
    ],
    changing((page) => page.map((object) => ({ ...object, etag: `"${time++}"` }))),
  ),
  broken(
    "has times and no ETag, and calls them content",
    [
      ADDED,
      REWRITE,
      DELETED,
      SAME,
      TWO,
      SAVED,
      HISTORY,
      PUT_NEW,
      "a poll sees what list lists",
      RANGES,
      FAULT,
    ],
    changing((page) =>
      page.map(({ etag: _, ...object }) => ({ ...object, lastModified: Date.now() + time++ }))
    ),
  ),
  broken(
    "still lists what was deleted",
    [DELETED, TWO],
    class extends FaultyStore {
      #known: Map<string, ObjectMeta> = new Map();
      override async *list(options?: ListOptions) {
        const current = new Map<string, ObjectMeta>();
        for await (const page of super.list(options)) {
          for (const object of page) current.set(object.key, object);
          yield page;
        }
        if (options?.prefix !== undefined || options?.after !== undefined) return;
        const gone = this.#known.get("a");
        if (gone !== undefined && !current.has("a")) yield [gone];
        this.#known = current;
      }
    },
  ),
  broken(
    "gives text for bytes",
    [GET],
    class extends FaultyStore {
      override async get(...args: Parameters<MemoryStore["get"]>) {
        const text = await new Response(await super.get(...args)).text();
        return new Response(text).body as ReadableStream<Uint8Array>;
      }
    },
  ),
  broken(
    "gives nothing for a missing key",
    [GET_404],
    class extends FaultyStore {
      override get(...args: Parameters<MemoryStore["get"]>) {
        return super.get(...args).catch((error) => {
          if (error.status !== 404) throw error;
          return new Blob([]).stream();
        });
      }
    },
  ),
  broken(
    "throws the error of its client",
    [GET_404],
    class extends FaultyStore {
      override get(...args: Parameters<MemoryStore["get"]>) {
        return super.get(...args).catch((error) => {
          throw error instanceof ExternalError && error.status === 404
            ? new Error("NoSuchKey")
            : error;
        });
      }
    },
  ),
  broken(
    "gets whatever is there",
    [GET_412],
    class extends FaultyStore {
      override get(...[key, options]: Parameters<MemoryStore["get"]>) {
        const { ifMatch: _, ...others } = options ?? {};
        return super.get(key, others);
      }
    },
  ),
  broken(
    "gets without a signal",
    ["get heeds its signal"],
    class extends FaultyStore {
      override get(...[key, options]: Parameters<MemoryStore["get"]>) {
        const { signal: _, ...others } = options ?? {};
        return super.get(key, others);
      }
    },
  ),
  broken(
    "cannot cancel",
    ["content that is not read to its end can be cancelled"],
    class extends FaultyStore {
      override async get(...args: Parameters<MemoryStore["get"]>) {
        const reader = (await super.get(...args)).getReader();
        return new ReadableStream<Uint8Array>({
          async pull(controller) {
            const { done, value } = await reader.read();
            if (done) controller.close();
            else controller.enqueue(value);
          },
          cancel: () => new Promise<void>(() => {}),
        }, { highWaterMark: 0 });
      }
    },
  ),
  broken(
    "serves one listing at a time",
    [TWO],
    class extends FaultyStore {
      #busy = false;
      override async *list(options?: ListOptions) {
        const busy = this.#busy;
        this.#busy = true;
        try {
          for await (const page of super.list(options)) {
            yield busy && options?.after === undefined && options?.until === undefined ? [] : page;
          }
        } finally {
          this.#busy = false;
        }
      }
    },
  ),
  broken("has another name after a restart", [SAVED], FaultyStore, {
    otherStore: new MemoryStore({ name: "memory://2" }),
  }),
  broken(
    "loses the last object of a scan",
    [EXACT, PREFIX, "a poll sees what list lists", ABORT_POLL, FAULT],
    class extends FaultyStore {
      async *[scanPages](options?: ListOptions): AsyncGenerator<ScannedPage> {
        for await (const page of this.list(options)) {
          const objects = page.length === 10 ? page.slice(1) : page;
          yield {
            count: objects.length,
            addTo: (builder) => objects.forEach((object) => builder.add(object)),
          };
        }
      }
    },
  ),
  broken(
    "overwrites in spite of ifNoneMatch",
    [PUT_NEW],
    class extends FaultyStore {
      override put(...[key, body, options]: Parameters<MemoryStore["put"]>) {
        const { ifNoneMatch: _, ...others } = options ?? {};
        return super.put(key, body, others);
      }
    },
  ),
  broken(
    "overwrites in spite of ifMatch",
    [PUT_OVER],
    class extends FaultyStore {
      override put(...[key, body, options]: Parameters<MemoryStore["put"]>) {
        const { ifMatch: _, ...others } = options ?? {};
        return super.put(key, body, others);
      }
    },
  ),
  broken(
    "complains and overwrites",
    [PUT_NEW, PUT_OVER],
    class extends FaultyStore {
      override async put(...[key, body, options]: Parameters<MemoryStore["put"]>) {
        try {
          return await super.put(key, body, options);
        } catch (error) {
          await super.put(key, body);
          throw error;
        }
      }
    },
  ),
  broken(
    "puts with another ETag than it lists",
    [PUT_NEW],
    class extends FaultyStore {
      override async put(...[key, body, options]: Parameters<MemoryStore["put"]>) {
        const { etag } = await super.put(key, body, {
          ...options,
          ...(options?.ifMatch !== undefined && { ifMatch: options.ifMatch.slice(2) }),
        });
        return { etag: `W/${etag}` };
      }
    },
  ),
];

// ---- sources ----

interface Hooks {
  readonly store: FaultyStore;
  readonly poller: ObjectStorePoller;
}

function brokenSource(
  name: string,
  fails: readonly string[],
  make: (hooks: Hooks) => Partial<ExternalSource<ObjectMeta>>,
): Broken<SourceFixture<ObjectMeta>> {
  const setUp = (): Promise<SourceFixture<ObjectMeta>> => {
    const store = new FaultyStore();
    let version = 0;
    const put = (key: string) => store.inner.put(key, `${version++}`);
    const fresh = (): ExternalSource<ObjectMeta> => {
      const poller = new ObjectStorePoller(store);
      return {
        name: poller.name,
        poll: (options) => poller.poll(options),
        save: () => poller.save(),
        restore: (state) => poller.restore(state),
        ...make({ store, poller }),
      };
    };
    return Promise.resolve({
      source: fresh(),
      fresh,
      key: (object) => object.key,
      add: put,
      modify: put,
      remove: (key) => store.inner.delete(key),
      fail: () => store.fault = 1,
    });
  };
  return { name, fails, setUp };
}

const NOTHING = "nothing there is no event";
const FIRST = "the first poll adds everything, the next nothing";
const MODIFIED = "what changed is modified, once";
const REMOVED = "what is gone is removed, once, and added if it comes back";
const UNREAD = "a poll whose events were not read is forgotten";
const PART = "a poll whose events were read in part is forgotten";
const FAILED = "a failed poll forgets nothing";
const POLL_ABORTED = "a poll with an aborted signal rejects with its reason";
const POLL_ABORT = "an abort during a poll ends it and loses nothing";
const RESTORED = "state saved by one source goes on in another";
const MIDDLE = "state saved in the middle of a delivery loses nothing";
const CUT = "state that was cut off or is none is refused";

export const brokenSources: readonly Broken<SourceFixture<ObjectMeta>>[] = [
  brokenSource("nothing", [], () => ({})),
  brokenSource("no state, which is allowed", [], () => ({ save: undefined, restore: undefined })),
  brokenSource(
    "has no name",
    ["the name is a non-empty string without user info"],
    () => ({ name: "" }),
  ),
  brokenSource("commits before anyone reads", [UNREAD, PART, HISTORY, MIDDLE], ({ poller }) => ({
    poll: async (options) => [...await poller.poll(options)],
  })),
  brokenSource("forgets everything when it fails", [FAILED], ({ store, poller }) => {
    let current = poller;
    return {
      poll: (options) =>
        current.poll(options).catch((error) => {
          if (!options.signal.aborted) current = new ObjectStorePoller(store);
          throw error;
        }),
      save: () => current.save(),
      restore: (state) => current.restore(state),
    };
  }),
  brokenSource("takes a failure for an empty list", [FAILED], ({ store, poller }) => ({
    async poll(options) {
      try {
        return await poller.poll(options);
      } catch (error) {
        if (options.signal.aborted) throw error;
        const { list } = store;
        store.list = async function* () {};
        try {
          return await poller.poll(options);
        } finally {
          store.list = list;
        }
      }
    },
  })),
  brokenSource("ignores the signal", [POLL_ABORTED], ({ poller }) => ({
    poll: () => poller.poll({ signal: new AbortController().signal }),
  })),
  brokenSource(
    "rejects with another error than the reason",
    [POLL_ABORTED, POLL_ABORT],
    ({ poller }) => ({
      poll: (options) =>
        poller.poll(options).catch((error) => {
          throw options.signal.aborted ? new Error("stopped") : error;
        }),
    }),
  ),
  brokenSource("hangs when aborted", [POLL_ABORTED, POLL_ABORT], ({ poller }) => ({
    async poll(options: PollOptions) {
      const events = await poller.poll({ signal: new AbortController().signal });
      if (options.signal.aborted) await new Promise(() => {});
      return events;
    },
  })),
  brokenSource("cannot begin with nothing", [NOTHING, HISTORY, RESTORED], ({ store, poller }) => {
    let begun = false;
    return {
      async poll(options) {
        const objects = (await Array.fromAsync(store.inner.list())).flat();
        begun ||= objects.length > 0;
        if (!begun) throw new Error("nothing there");
        return poller.poll(options);
      },
    };
  }),
  brokenSource("reports everything each time", [
    FIRST,
    MODIFIED,
    REMOVED,
    UNREAD,
    PART,
    FAILED,
    HISTORY,
    RESTORED,
  ], ({ store }) => ({
    poll: (options) => new ObjectStorePoller(store).poll(options),
  })),
  brokenSource(
    "never reports a removal",
    [REMOVED, UNREAD, FAILED, HISTORY, RESTORED],
    ({ poller }) => ({
      async poll(options) {
        const events = await poller.poll(options);
        return (function* () {
          for (const event of events) if (event.type !== "removed") yield event;
        })();
      },
    }),
  ),
  brokenSource("says added for modified", [MODIFIED, UNREAD, HISTORY, RESTORED], ({ poller }) => ({
    async poll(options) {
      const events = await poller.poll(options);
      return (function* () {
        for (const event of events) {
          yield event.type === "modified" ? { type: "added", item: event.item } as const : event;
        }
      })();
    },
  })),
  brokenSource("saves nothing", [RESTORED], ({ store }) => ({
    save: () => new ObjectStorePoller(store).save(),
  })),
  brokenSource("restores nothing", [RESTORED], ({ store }) => ({
    restore: (state) => new ObjectStorePoller(store).restore(state),
  })),
  brokenSource("begins anew with damaged state", [CUT], ({ poller }) => ({
    restore: (state) => {
      try {
        poller.restore(state);
      } catch {
        // That is what is wrong.
      }
    },
  })),
];
