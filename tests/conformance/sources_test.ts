// The suite for sources passes every right one: of many items, of one, with state and without.
import { CollectionPoller } from "@koprs/external/collection";
import { HttpPoller, type HttpResource } from "@koprs/external/http";
import { type ObjectMeta, ObjectStorePoller } from "@koprs/external/store";
import { type SourceFixture, testSource } from "@koprs/external/testing";
import type { ExternalEvent, ExternalSource } from "@koprs/external/watcher";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { FaultyStore } from "./_faulty_store.ts";

testSource<ObjectMeta>("ObjectStorePoller", () => {
  const store = new FaultyStore();
  let version = 0;
  return Promise.resolve({
    source: new ObjectStorePoller(store, { prefix: "objects/" }),
    key: (object) => object.key,
    keys: ["objects/\u{10000}", "objects/\uffff", "objects//", "objects/"],
    add: (key) => store.inner.put(key, `${version++}`),
    modify: (key) => store.inner.put(key, `${version++}`),
    remove: (key) => store.inner.delete(key),
    fail: () => store.fault = 1,
    leavesSignals: true,
    fresh: () => new ObjectStorePoller(store, { prefix: "objects/" }),
  });
});

interface Item {
  readonly id: string;
  readonly revision: number;
}

for (const version of [undefined, (item: Item) => String(item.revision)]) {
  testSource(`CollectionPoller ${version === undefined ? "by JSON" : "by version"}`, () => {
    const items = new Map<string, Item>();
    let revision = 0;
    let failing = false;
    const set = (id: string) => items.set(id, { id, revision: revision++ });
    const make = () =>
      new CollectionPoller<Item>({
        name: "items",
        async *list() {
          for (const item of items.values()) {
            yield [item];
            await Promise.resolve();
            if (failing) {
              failing = false;
              throw new Error("down");
            }
          }
        },
        key: (item) => item.id,
        ...(version !== undefined && { version }),
      });
    const fixture: SourceFixture<Item> = {
      source: make(),
      key: (item) => item.id,
      add: set,
      modify: set,
      remove: (id) => items.delete(id),
      fail: () => failing = true,
      leavesSignals: true,
      fresh: make,
    };
    return Promise.resolve(fixture);
  });
}

for (const validators of [true, false]) {
  testSource(`HttpPoller ${validators ? "with" : "without"} validators`, async () => {
    let body: string | undefined;
    let version = 0;
    let failing = false;
    const server = createServer((request, response) => {
      const status = failing ? 503 : body === undefined ? 404 : 200;
      failing = false;
      const headers = validators && status === 200 ? { etag: `"${body}"` } : {};
      const known = status === 200 && validators &&
        request.headers["if-none-match"] === `"${body}"`;
      response.writeHead(known ? 304 : status, headers).end(known ? undefined : body);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/config`;
    const set = () => body = `version ${version++}`;
    const fixture: SourceFixture<HttpResource> = {
      source: new HttpPoller(url),
      key: (resource) => resource.url,
      keys: [url],
      add: set,
      modify: set,
      remove: () => body = undefined,
      fail: () => failing = true,
      leavesSignals: true,
      fresh: () => new HttpPoller(url),
      close() {
        server.closeAllConnections();
        return new Promise((resolve) => server.close(resolve));
      },
    };
    return fixture;
  });
}

/** One thing that is there or not, told in the plainest way that the contract allows. */
class OneThing implements ExternalSource<string> {
  readonly name = "one thing";
  readonly #read: () => string | undefined;
  #known: string | undefined;

  constructor(read: () => string | undefined) {
    this.#read = read;
  }

  async poll({ signal }: { signal: AbortSignal }): Promise<Iterable<ExternalEvent<string>>> {
    await Promise.resolve();
    if (signal.aborted) throw new DOMException("stopped", "AbortError"); // not the reason of the signal
    const item = this.#read();
    const known = this.#known;
    const commit = () => this.#known = item;
    return (function* () {
      if (known === undefined && item !== undefined) yield { type: "added", item } as const;
      else if (known !== undefined && item === undefined) {
        yield { type: "removed", item: known } as const;
      } else if (known !== undefined && item !== undefined && known !== item) {
        yield { type: "modified", item, previous: known } as const;
      }
      commit();
    })();
  }

  save(): Uint8Array {
    return new TextEncoder().encode(JSON.stringify({ known: this.#known }));
  }

  restore(state: Uint8Array): void {
    const { known } = JSON.parse(new TextDecoder().decode(state)) as { known?: string };
    this.#known = known;
  }
}

testSource("a source of one thing", () => {
  let thing: string | undefined;
  let version = 0;
  let failing = false;
  const set = () => thing = `version ${version++}`;
  const make = () =>
    new OneThing(() => {
      if (failing) {
        failing = false;
        throw new Error("down");
      }
      return thing;
    });
  return Promise.resolve({
    source: make(),
    key: () => "thing",
    keys: ["thing"],
    add: set,
    modify: set,
    remove: () => thing = undefined,
    fail: () => failing = true,
    leavesSignals: true,
    fresh: make,
  });
});
