// A store of sorted keys that counts its requests, and the time they take: a tick for all pages that are waited for at once.
import type { ListOptions, ObjectMeta, ObjectStore } from "@koprs/external/store";
import { countUpTo } from "./_key_spaces.ts";

/** How the store behaves. */
export interface TimedStoreOptions {
  readonly pageSize?: number;
  /** Whether ranges can be had; a function: what is known after so many pages. */
  readonly ranged?: boolean | ((pages: number) => boolean | undefined);
  /** Fills each page, ends with the one in which a key at `until` or behind it came, and leaves those out: as S3Store does. */
  readonly clips?: boolean;
  /** Keys in the n-th page of all, where pages are not full. */
  readonly fill?: (page: number) => number;
}

export class TimedStore implements ObjectStore {
  readonly name = "timed://";
  /** In order. May be replaced between polls. */
  keys: readonly string[];
  requests = 0;
  ticks = 0;
  /** The most pages waited for at once. */
  most = 0;
  readonly calls: ListOptions[] = [];
  /** The ETag of all objects. */
  etag = "1";
  #pages = 0;
  #waiting: (() => void)[] = [];
  readonly #options: TimedStoreOptions;

  constructor(keys: readonly string[], options: TimedStoreOptions = {}) {
    this.keys = keys;
    this.#options = options;
  }

  get ranged(): boolean | undefined {
    const { ranged = true } = this.#options;
    return typeof ranged === "function" ? ranged(this.#pages) : ranged;
  }

  /** Forgets what was counted. */
  reset(): void {
    this.requests =
      this.ticks =
      this.most =
      this.calls.length =
        0;
  }

  async *list(options: ListOptions = {}): AsyncGenerator<readonly ObjectMeta[]> {
    const { prefix = "", after, until } = options;
    const { pageSize = 1000, clips = false, fill = () => pageSize } = this.#options;
    const keys = prefix === "" ? this.keys : this.keys.filter((key) => key.startsWith(prefix));
    this.calls.push(options);
    let at = after === undefined ? 0 : countUpTo(keys, after);
    const end = until === undefined ? keys.length : countUpTo(keys, until);
    const stop = clips ? keys.length : end;
    do {
      const page = Math.min(fill(this.#pages), stop - at);
      await this.#tick();
      this.#pages++;
      yield keys.slice(at, Math.min(at + page, Math.max(at, end)))
        .map((key) => ({ key, size: 1, etag: this.etag }));
      at += page;
    } while (at < stop && !(clips && at >= end));
  }

  get(): Promise<never> {
    return Promise.reject(new Error("a poll reads no content"));
  }

  /** Waits until nothing else is left to do. */
  #tick(): Promise<void> {
    this.requests++;
    return new Promise((resolve) => {
      this.most = Math.max(this.most, this.#waiting.push(resolve));
      if (this.#waiting.length > 1) return;
      setImmediate(() => {
        this.ticks++;
        const now = this.#waiting;
        this.#waiting = [];
        for (const go of now) go();
      });
    });
  }
}
