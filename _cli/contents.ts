/** The key of an event, its content, and the content before it. */
import type { ExternalEvent } from "../_diff/source.ts";
import { ExternalError } from "../_errors/external_error.ts";
import { difference } from "./diff.ts";
import { drop, keep, keyOfUrl, placeOf } from "./download.ts";
import type { Options } from "./options.ts";
import { type Done, type Item, sizeOf } from "./report.ts";
import type { Target } from "./targets.ts";

/** The largest content that is compared, in bytes. */
const LARGEST = 1024 * 1024;
/** The most bytes of earlier contents that are kept to compare with. */
const MEMORY = 64 * 1024 * 1024;

/** Fetches, keeps and compares the contents of one target. */
export class Contents {
  readonly #target: Target;
  readonly #options: Options;
  readonly #last = new Map<string, Uint8Array>();
  #bytes = 0;

  constructor(target: Target, options: Options) {
    this.#target = target;
    this.#options = options;
  }

  /** The key of an item: an object's own key, or the host and path of an HTTP resource. */
  keyOf(item: unknown): string {
    const { key, url } = item as Item & { readonly url?: string };
    return key ?? keyOfUrl(url ?? this.#target.source.name);
  }

  /** Downloads and compares the content as the options say. May be called again for the same event. */
  async take(
    event: ExternalEvent<unknown>,
    signal: AbortSignal,
  ): Promise<Done> {
    const { download, diff } = this.#options;
    const key = this.keyOf(event.item);
    const file = download === undefined ? undefined : placeOf(download, key);
    if (event.type === "removed") {
      if (file !== undefined) await drop(file);
      this.#forget(key);
      return {};
    }
    const wanted = diff && sizeOf(event.item) <= LARGEST;
    if (file === undefined && !wanted) return {};
    try {
      if (file !== undefined) {
        await keep(file, await this.#read(event.item, signal));
      }
      const lines = wanted ? await this.#compare(key, event.item, signal) : undefined;
      return {
        ...(file !== undefined && { file }),
        ...(lines !== undefined && { diff: lines }),
      };
    } catch (error) {
      // Changed or gone since it was listed: the next poll reports it.
      const status = error instanceof ExternalError ? error.status : undefined;
      if (status === 404 || status === 412) return {};
      throw error;
    }
  }

  async #read(
    item: unknown,
    signal: AbortSignal,
  ): Promise<AsyncIterable<Uint8Array>> {
    const { key, etag, body } = item as Item;
    const { store } = this.#target;
    if (store === undefined || key === undefined) {
      return bytesOf(body ?? new Uint8Array());
    }
    return await store.get(key, {
      signal,
      ...(etag !== undefined && { ifMatch: etag }),
    });
  }

  async #compare(
    key: string,
    item: unknown,
    signal: AbortSignal,
  ): Promise<string[] | undefined> {
    const parts: Uint8Array<ArrayBuffer>[] = [];
    for await (const part of await this.#read(item, signal)) {
      parts.push(new Uint8Array(part));
    }
    const now = await new Blob(parts).bytes();
    const old = this.#last.get(key);
    this.#remember(key, now);
    return old === undefined ? undefined : difference(old, now);
  }

  #remember(key: string, content: Uint8Array): void {
    this.#forget(key);
    this.#last.set(key, content);
    this.#bytes += content.length;
    // A Map keeps the order of insertion, so the oldest comes first.
    for (const oldest of this.#last.keys()) {
      if (this.#bytes <= MEMORY) break;
      this.#forget(oldest);
    }
  }

  #forget(key: string): void {
    this.#bytes -= this.#last.get(key)?.length ?? 0;
    this.#last.delete(key);
  }
}

async function* bytesOf(body: Uint8Array): AsyncGenerator<Uint8Array, void> {
  yield body;
}
