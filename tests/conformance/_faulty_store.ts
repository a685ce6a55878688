/** A store that does as it should, and fails when it is told to. */
import type { ListOptions, ObjectMeta, ObjectStore } from "@koprs/external/store";
import { MemoryStore } from "@koprs/external/stores/memory";
import type { StoreFixture } from "@koprs/external/testing";

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
    holdsLoneSurrogates: true,
    sameContentIsNoChange: true,
    leavesSignals: true,
    vanish: () => store.vanished = true,
    failPage: (n) => store.fault = n,
    close: () => {},
    ...more,
  };
}
