// What the stores of Google Cloud Storage and Azure must do on a real server, through the real client: one suite for both.
import { ExternalError, watchExternal } from "@koprs/external";
import { type ObjectMeta, type ObjectStore, ObjectStorePoller } from "@koprs/external/store";
import { testStore } from "@koprs/external/testing";
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { FAULTS, type ListingProxy, startListingProxy } from "./_listing_proxy.ts";
import type { ServerProcess } from "./process.ts";

/** A bucket or container, as a client reaches it that never tries again. */
export interface CloudPlace {
  /** The name of its stores. */
  readonly name: string;
  store(options?: { pageSize?: number }): ObjectStore;
  put(key: string, body: Uint8Array<ArrayBuffer>): Promise<unknown>;
  /** Puts many, quicker than one by one. */
  putMany(keys: readonly string[]): Promise<void>;
  /** Deletes an object, also one that is not there. */
  delete(key: string): Promise<unknown>;
  /** What the client itself lists. */
  list(): Promise<readonly ObjectMeta[]>;
  /** Deletes the bucket or container with all that is in it. */
  vanish(): Promise<unknown>;
}

/** A service, and a server that speaks as it does. */
export interface CloudWorld<S extends ServerProcess> {
  /** As tests name it. */
  readonly title: string;
  /** Why the server cannot be started, if so. */
  readonly missing: string | undefined;
  /** Starts a server that keeps its objects over a kill and a restart, or one for everything else. */
  start(kind: "durable" | "shared"): Promise<S>;
  /** Makes a bucket or container. */
  create(server: S, name: string): Promise<unknown>;
  /** Reaches one on a port: that of the server, or that of a proxy. */
  at(server: S, name: string, port: number): CloudPlace;
  /** Whether a request asks for a page, and for which. */
  classify(path: string): "first" | "next" | undefined;
  /** Whether the server can hold a key. */
  accepts(key: string): boolean;
  /** How many objects it holds without getting slow. */
  readonly many: number;
}

export interface CloudScene<S> {
  readonly server: S;
  readonly name: string;
  readonly proxy: ListingProxy;
  /** Past the proxy. */
  readonly direct: CloudPlace;
  /** Through the proxy. */
  readonly proxied: CloudPlace;
}

/** Objects a page, where many pages are wanted. */
const PAGE = 10;

const bytesOf = (text: string) => new TextEncoder().encode(text);

/** Keys in the order of a listing. */
function keysOf(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `k${String(i).padStart(2, "0")}`);
}

export function poll(poller: ObjectStorePoller) {
  return poller.poll({ signal: new AbortController().signal }).then((events) => [...events]);
}

export async function objectsOf(store: ObjectStore, options = {}): Promise<ObjectMeta[]> {
  return (await Array.fromAsync(store.list(options))).flat();
}

/** Checks what a store threw, for `assert.rejects`. */
export function isStore(status?: number): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof ExternalError, `no ExternalError: ${error}`);
    assert.equal(error.code, "store", error.message);
    if (status !== undefined) assert.equal(error.status, status, error.message);
    return true;
  };
}

/** Runs a test on a bucket or container of its own. */
export type OnCloud<S> = (
  name: string,
  run: (scene: CloudScene<S>) => Promise<void>,
) => void;

/** Registers the suite, and gives the way to tests of one service alone. */
export function testCloud<S extends ServerProcess>(world: CloudWorld<S>): OnCloud<S> {
  const { title, missing } = world;
  const skip = missing ?? false;
  // One for all tests: each has a place of its own.
  let shared: Promise<S> | undefined;
  let places = 0;
  after(async () => {
    await (await shared)?.stop();
  });

  const setUp = async (): Promise<CloudScene<S>> => {
    const server = await (shared ??= world.start("shared"));
    const name = `place-${++places}`;
    await world.create(server, name);
    const proxy = await startListingProxy(server.port, world.classify);
    const direct = world.at(server, name, server.port);
    return { server, name, proxy, direct, proxied: world.at(server, name, proxy.port) };
  };

  const onCloud: OnCloud<S> = (what, run) => {
    test(`${title}: ${what}`, { skip }, async () => {
      const scene = await setUp();
      try {
        await run(scene);
      } finally {
        await scene.proxy.close();
      }
    });
  };

  if (missing === undefined) {
    testStore(title, async () => {
      const { proxy, direct, proxied } = await setUp();
      return {
        store: proxied.store({ pageSize: PAGE }),
        otherStore: proxied.store(),
        leavesSignals: true,
        pageSize: PAGE,
        put: (key, body) => direct.put(key, body),
        delete: (key) => direct.delete(key),
        accepts: world.accepts,
        vanish: () => direct.vanish(),
        failPage: (n) => proxy.failPage(n),
        close: () => proxy.close(),
      };
    });
  }

  onCloud("many objects over many pages, and what changes in them", async (scene) => {
    const { proxy, direct, proxied } = scene;
    const keys = Array.from({ length: world.many }, (_, i) => `data/${i % 7}/${i}`);
    await direct.putMany(keys);
    const poller = new ObjectStorePoller(proxied.store({ pageSize: 100 }));
    assert.equal((await poll(poller)).length, keys.length);
    // The first listing may be cut while it goes on, and cuts cost some.
    const pages = Math.ceil(keys.length / 100);
    assert.ok(proxy.pages >= pages && proxy.pages <= 2 * pages, `${proxy.pages} pages`);
    await direct.put("data/3/3", bytesOf("other"));
    await direct.delete("data/0/7");
    await direct.put("data/9/new", bytesOf("new"));
    const events = await poll(poller);
    assert.deepEqual(events.map(({ type, item }) => [type, item.key]), [
      ["removed", "data/0/7"],
      ["modified", "data/3/3"],
      ["added", "data/9/new"],
    ]);
    const { key, etag = "" } = events[1]?.item as ObjectMeta;
    const store = direct.store();
    assert.equal(await new Response(await store.get(key, { ifMatch: etag })).text(), "other");
    // The two ways to list are one, and what the client itself lists.
    const listed = await objectsOf(store);
    const seen = (await poll(new ObjectStorePoller(store))).map(({ item }) => item);
    assert.deepEqual(seen, listed);
    assert.deepEqual(listed, await direct.list());
  });

  onCloud("each fault on each page fails the poll, and the next one goes on", async (scene) => {
    const { proxy, direct, proxied } = scene;
    await direct.putMany(keysOf(25));
    const poller = new ObjectStorePoller(proxied.store({ pageSize: PAGE }));
    await poll(poller);
    for (const fault of FAULTS) {
      const code = fault === "unavailable" ? "store" : fault === "cut" ? "network" : "protocol";
      for (const n of [1, 2, 3]) {
        proxy.failPage(n, fault);
        const error: unknown = await poll(poller).catch((error) => error);
        assert.ok(error instanceof ExternalError, String(error));
        assert.equal(error.code, code, `${fault}: ${error.message}`);
        assert.equal(error.status, fault === "unavailable" ? 503 : undefined);
        assert.equal(error.retryAfter, fault === "unavailable" ? 7_000 : undefined);
        assert.ok(error.message.startsWith(`Cannot list '${proxied.name}'`), error.message);
        assert.deepEqual(await poll(poller), []);
      }
    }
  });

  test(
    `${title}: a server killed in the middle of a listing removes nothing`,
    { skip },
    async () => {
      const server = await world.start("durable");
      const proxy = await startListingProxy(server.port, world.classify);
      try {
        await world.create(server, "mine");
        const direct = world.at(server, "mine", server.port);
        const keys = keysOf(25);
        await direct.putMany(keys);
        await server.restart(); // writes what it knows to disk
        const store = world.at(server, "mine", proxy.port).store({ pageSize: PAGE });
        const failures: ExternalError[] = [];
        const failedTwice = Promise.withResolvers<void>();
        const watch = watchExternal(new ObjectStorePoller(store), {
          interval: 20,
          onError: (error) => {
            if (failures.push(error) === 2) failedTwice.resolve();
          },
        });
        const reader = watch.getReader();
        const seen: string[] = [];
        const next = async () => {
          const { value } = await reader.read();
          seen.push(`${value?.type} ${value?.item.key}`);
        };
        for (const _ of keys) await next();
        proxy.beforePage(2, () => server.kill());
        const pending = next();
        await failedTwice.promise;
        await server.restart();
        // Once it is back something changes, and that is all there is to see.
        await direct.delete("k03");
        await pending;
        await reader.cancel();
        assert.deepEqual(seen, [...keys.map((key) => `added ${key}`), "removed k03"]);
        for (const { code, message } of failures) assert.equal(code, "network", message);
      } finally {
        await proxy.close();
        await server.stop();
      }
    },
  );

  onCloud("deletes and rewrites while a watch runs all arrive", async ({ direct, proxied }) => {
    const watch = watchExternal(new ObjectStorePoller(proxied.store({ pageSize: 5 })), 5);
    const known = new Map<string, ObjectMeta>();
    const reading = (async () => {
      for await (const { type, item } of watch) {
        if (type === "removed") assert.ok(known.delete(item.key), `removed twice: ${item.key}`);
        else {
          assert.equal(known.has(item.key), type === "modified", `${type} ${item.key}`);
          known.set(item.key, item);
        }
      }
    })();
    for (let round = 0; round < 60; round++) {
      const key = `k${(round * 7) % 17}`;
      if (round % 3 === 2) await direct.delete(key);
      else await direct.put(key, bytesOf(`round ${round}`));
    }
    // A listing is not of one moment: what it missed comes with the next one.
    const final = new Map((await objectsOf(direct.store())).map((object) => [object.key, object]));
    const deadline = performance.now() + 20_000;
    while (!isDeepStrictEqual(known, final) && performance.now() < deadline) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    watch.close();
    await reading;
    assert.deepEqual(known, final);
  });

  onCloud("an abort ends a listing that hangs, and its request", async ({ proxy, proxied }) => {
    const givenUp = proxy.hang();
    const controller = new AbortController();
    const listing = objectsOf(proxied.store(), { signal: controller.signal });
    while (proxy.pages === 0) await new Promise((resolve) => setImmediate(resolve));
    const reason = new Error("enough");
    controller.abort(reason);
    await assert.rejects(listing, (error) => error === reason);
    await givenUp;
  });

  onCloud("a bucket or container that is not there is told as such", async ({ server }) => {
    const absent = world.at(server, "absent", server.port).store();
    await assert.rejects(objectsOf(absent), (error) => {
      isStore(404)(error);
      return /does not pass by itself: check that the \w+ exists/.test((error as Error).message);
    });
  });

  return onCloud;
}
