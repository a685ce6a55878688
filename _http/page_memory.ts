/** The pages of earlier walks, for when a server says that one has not changed. */
import { isUsable, type Validators } from "./validators.ts";

/** Header fields, in order; `Set-Cookie` may be there more than once. */
export type Fields = readonly (readonly [name: string, value: string])[];

/** A page as it was answered last. */
export interface RememberedPage {
  readonly validators: Validators;
  readonly status: number;
  readonly headers: Fields;
  readonly body: Uint8Array;
}

/** Beside its body, a page counts for so many bytes: URL, headers, validators. */
const OVERHEAD = 1024;

/**
 * Remembers pages by the URL that was asked for.
 *
 * After a good walk it holds the pages of that walk. A walk that fails adds its pages to those known, so that the next
 * walk gets further where a server limits the rate. Then it holds at most twice the bytes of the largest walk since the
 * last good one, that one included; pages not asked for the longest go first.
 */
export class PageMemory {
  #pages: Map<string, RememberedPage> = new Map();
  /** Bytes of the largest walk since the last good one. */
  #largest = 0;

  get(href: string): RememberedPage | undefined {
    return this.#pages.get(href);
  }

  /** Takes in the pages of a walk: all there are, or those it came to before it failed. */
  take(walk: Map<string, RememberedPage>, whole: boolean): void {
    const bytes = sizeOf(walk);
    if (whole) {
      this.#pages = walk;
      this.#largest = bytes;
      return;
    }
    for (const [href, page] of walk) {
      this.#pages.delete(href); // So that it comes last.
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
 * What to keep of a page for the next walk: nothing without validators, and not the body where they cannot be sent yet, as
 * the page was modified this very second.
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

// They describe the message or the body that came with them: those of a 304 say nothing of the body that is kept.
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

/** The headers of a page behind a 304: its fields take the place of those known (RFC 9111, section 3.2). */
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
