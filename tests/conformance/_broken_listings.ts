/** Stores that break one rule of listings each, and the tests that must tell. */
import type { ListOptions, ObjectMeta } from "@koprs/external/store";
import type { MemoryStore } from "@koprs/external/stores/memory";
import type { StoreFixture } from "@koprs/external/testing";
import { type Broken, FaultyStore } from "./_faulty_store.ts";
import {
  ABORT_BETWEEN,
  ABORT_FIRST,
  ABORT_POLL,
  ABORTED,
  ADDED,
  asking,
  BOUNDS,
  broken,
  changing,
  DELETED,
  EMPTY,
  EXACT,
  FAULT,
  GET_412,
  HISTORY,
  ORDER,
  PREFIX,
  PUT_NEW,
  PUT_OVER,
  RANGES,
  REWRITE,
  SAME,
  SAVED,
  TWO,
  UNICODE,
  VANISHED,
  WHOLE,
} from "./_store_rules.ts";

let time = 0;

export const brokenListings: readonly Broken<StoreFixture>[] = [
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
];
