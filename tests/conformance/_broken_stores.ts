/** Stores that break one rule each, and the tests that must tell. */
import { ExternalError } from "@koprs/external/error";
import type { ListOptions, ObjectMeta } from "@koprs/external/store";
import { MemoryStore } from "@koprs/external/stores/memory";
import type { StoreFixture } from "@koprs/external/testing";
import { type ScannedPage, scanPages } from "../../_listing/scan.ts";
import { type Broken, FaultyStore, storeFixture } from "./_faulty_store.ts";

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
const UNICODE = "what is no valid Unicode is taken for nothing else";
const SIGNALS = "nothing leaves a listener on its signal";
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
    [EMPTY, PUT_OVER],
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
  broken(
    "ignores the prefix",
    [PREFIX, UNICODE, BOUNDS],
    asking(({ prefix: _, ...options }) => options),
  ),
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
    [EXACT, PREFIX, HISTORY],
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
    changing((page) => page.map(({ lastModified: _, ...object }) => ({ ...object, etag: '"1"' }))),
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
  broken(
    "takes lone surrogates for U+FFFD",
    [UNICODE],
    class extends FaultyStore {
      override list({ prefix, ...options }: ListOptions = {}) {
        return super.list({
          ...options,
          ...prefix !== undefined && { prefix: prefix.toWellFormed() },
        });
      }
      override get(...[key, options]: Parameters<MemoryStore["get"]>) {
        return super.get(key.toWellFormed(), options);
      }
    },
    { holdsLoneSurrogates: false },
  ),
  broken(
    "loses what is no valid Unicode",
    [UNICODE],
    changing((page) => page.filter(({ key }) => key.isWellFormed())),
  ),
  ...["list", "get"].map((where) =>
    broken(
      `listens for ever after ${where}`,
      [SIGNALS],
      class extends FaultyStore {
        override list(options: ListOptions = {}) {
          if (where === "list") options.signal?.addEventListener("abort", () => {});
          return super.list(options);
        }
        override get(...[key, options]: Parameters<MemoryStore["get"]>) {
          if (where === "get") options?.signal?.addEventListener("abort", () => {});
          return super.get(key, options);
        }
      },
    )
  ),
  broken(
    "shows its password in its identity",
    ["the name is a non-empty string without user info"],
    class extends FaultyStore {
      identity() {
        return "https://user:password@host/";
      }
    },
  ),
  broken(
    "has another identity after a restart",
    [SAVED],
    class extends FaultyStore {
      identity() {
        return "https://host/";
      }
    },
    { otherStore: new MemoryStore() },
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
