/** Stores that break one rule of contents, names or conditions each, and the tests that must tell. */
import { ExternalError } from "@koprs/external/error";
import type { ListOptions } from "@koprs/external/store";
import { MemoryStore } from "@koprs/external/stores/memory";
import type { StoreFixture } from "@koprs/external/testing";
import { type ScannedPage, scanPages } from "../../_listing/scanning_store.ts";
import { type Broken, FaultyStore } from "./_faulty_store.ts";
import {
  ABORT_POLL,
  broken,
  changing,
  EXACT,
  FAULT,
  GET,
  GET_404,
  GET_412,
  PREFIX,
  PUT_NEW,
  PUT_OVER,
  SAVED,
  SIGNALS,
  TWO,
  UNICODE,
} from "./_store_rules.ts";

export const brokenContents: readonly Broken<StoreFixture>[] = [
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
