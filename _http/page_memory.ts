/** The pages of earlier walks, for when a server answers that one has not changed. */
import { isUsable, type Validators } from "./validators.ts";

/** Headers, in order; `Set-Cookie` may be there more than once. */
export type Fields = readonly (readonly [name: string, value: string])[];

/** A page as the server answered it last. */
export interface RememberedPage {
  readonly validators: Validators;
  readonly status: number;
  readonly headers: Fields;
  readonly body: Uint8Array;
}

/** The bytes that a page counts for besides its body: URL, headers, validators. */
const OVERHEAD = 1024;

/**
 * Remembers pages by the URL that was asked for.
 *
 * After a successful walk it holds the pages of that walk. A failed walk adds its pages to those known, so that the
 * next walk gets further if a server limits the rate. It then holds at most twice the bytes of the largest walk
 * since the last successful one, which counts as well. The pages that were not requested for the longest time are
 * dropped first.
 */
export class PageMemory {
  #pages: Map<string, RememberedPage> = new Map();
  /** Bytes of the largest walk since the last good one. */
  #largest = 0;

  get(href: string): RememberedPage | undefined {
    return this.#pages.get(href);
  }

  /** Adds the pages of a walk: all of them if it was `whole`, or those that it read before it failed. */
  take(walk: Map<string, RememberedPage>, whole: boolean): void {
    const bytes = sizeOf(walk);
    if (whole) {
      this.#pages = walk;
      this.#largest = bytes;
      return;
    }
    for (const [href, page] of walk) {
      this.#pages.delete(href); // So that it becomes the last.
      this.#pages.set(href, page);
    }
    this.#largest = Math.max(this.#largest, bytes);
    let held = sizeOf(this.#pages);
    for (const [href, page] of this.#pages) {
      if (held <= 2 * this.#largest) break;
      held -= weightOf(page);
      this.#pages.delete(href);
    }
  }
}

/**
 * What to keep of a page for the next walk: nothing if it has no validators, and not the body if these cannot be
 * sent yet, as the page was modified within the last second.
 */
export function worthKeeping(page: RememberedPage): RememberedPage | undefined {
  const { validators } = page;
  if (isUsable(validators)) return page;
  if (validators.etag === undefined && validators.lastModified === undefined) return undefined;
  return { ...page, headers: [], body: new Uint8Array() };
}

function sizeOf(pages: ReadonlyMap<string, RememberedPage>): number {
  let bytes = 0;
  for (const page of pages.values()) bytes += weightOf(page);
  return bytes;
}

function weightOf({ body }: RememberedPage): number {
  return body.length + OVERHEAD;
}

// These describe the message or body that they came with: in a 304 they say nothing about the body that is kept.
const OF_THE_MESSAGE = new Set([
  "connection",
  "content-encoding",
  "content-length",
  "content-range",
  "content-type",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authentication-info",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** The headers of a page after a 304, whose headers replace the known ones (RFC 9111, section 3.2). */
export function updatedBy(headers: Headers, known: Fields): Fields {
  const dropped = (headers.get("connection") ?? "").toLowerCase().split(",").map((name) =>
    name.trim()
  );
  const fresh = [...headers].filter(([name]) =>
    !OF_THE_MESSAGE.has(name) && !dropped.includes(name)
  );
  const names = new Set(fresh.map(([name]) => name));
  return [...known.filter(([name]) => !names.has(name)), ...fresh];
}
