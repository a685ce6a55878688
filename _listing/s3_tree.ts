/**
 * Servers that walk a tree of folders list `a/…` before `a-b`. A server that uses a page token as a key, and
 * continues with the keys greater than that, leaves out `a-b` without any error if a page ends within `a/`.
 *
 * @module
 */
import { textBytes } from "../_bytes/exact_text.ts";
import { compareKeys } from "../_bytes/order.ts";
import type { S3Pages } from "./s3_answers.ts";
import type { S3ListInput } from "./s3_client.ts";
import type { ListedPage } from "./listed_page.ts";
import type { S3Order } from "./s3_order.ts";
import { isSame, type Place, placeBehind, textOf } from "./s3_place.ts";
import { decodeUrl } from "./url_encoding.ts";

/** How many folders around the end of the first page are checked, with one request each. */
const MAX_FOLDERS = 3;
const SLASH = "/";

/** What a listing is checked with. */
export interface TreeCheckOptions {
  readonly pages: S3Pages;
  /** The fields that every request of the listing has. */
  readonly input: S3ListInput;
  readonly order: S3Order;
  /** Makes an error from what is wrong. */
  readonly fault: (what: string) => Error;
}

/** What is remembered of the first page. */
interface FirstPage {
  readonly keys: ReadonlySet<string>;
  /** The folders that its last key is in and that are still to be checked. */
  readonly folders: string[];
}

/** Checks one listing, without a range, for keys that are left out. */
export class TreeCheck {
  readonly #options: TreeCheckOptions;
  /** Keys that must still come, and the folder that each is next to. */
  readonly #missing: Map<string, string> = new Map();
  #first: FirstPage | undefined;

  constructor(options: TreeCheckOptions) {
    this.#options = options;
  }

  /**
   * Checks a page that has keys from a folder and from next to it: asks for a page that ends between them, and for
   * the next one.
   *
   * @param place Where the page begins.
   * @param at The index of its key that is out of order.
   */
  async within(page: ListedPage, place: Place, at: number): Promise<void> {
    const { pages, input } = this.#options;
    const before = page.key(at - 1);
    const key = page.key(at);
    if (before === undefined || key === undefined || !isInFolder(before, key)) return;
    const upTo = await pages.aside({ ...input, ...place, MaxKeys: at });
    const end = upTo.key(upTo.count - 1);
    // The bucket may have changed meanwhile, or the server may ignore `MaxKeys`.
    if (end === undefined || !isSame(end, before) || upTo.nextToken === undefined) return;
    const next = { ...input, ...placeBehind(upTo.nextToken, end), MaxKeys: 1 };
    const found = readingsOf(await pages.aside(next));
    if (readings(textOf(key)).some((reading) => found.has(reading))) return;
    throw this.#leftOut(textOf(key), textOf(before));
  }

  /**
   * On an unknown server, looks for keys next to the folders that the first page ends in: they sort before those
   * folders. Call it after each page that is not the last; it checks one folder each time.
   */
  async atEnd(page: ListedPage): Promise<void> {
    const { order } = this.#options;
    if (order.settled || order.ranged === true) return;
    this.#first ??= this.#endOf(page);
    const { keys, folders } = this.#first;
    const folder = folders.shift();
    if (folder === undefined) return;
    const { pages, input } = this.#options;
    const beside = await pages.aside({ ...input, Prefix: folder, Delimiter: SLASH });
    for (let i = 0; i < beside.count; i++) {
      const key = textOf(beside.key(i));
      const isBefore = key.startsWith(folder) && compareKeys(key, folder + SLASH) < 0;
      if (isBefore && !readings(key).some((reading) => keys.has(reading))) {
        this.#missing.set(key, folder);
      }
    }
    if (this.#missing.size === 0) return;
    // Keys that are new are on the first page by now.
    for (const key of readingsOf(await pages.aside(input))) this.#missing.delete(key);
    if (this.#missing.size === 0) return;
    order.disorder();
    folders.length = 0;
  }

  #endOf(page: ListedPage): FirstPage {
    const last = textOf(page.key(page.count - 1));
    const folders: string[] = [];
    const from = this.#options.input.Prefix?.length ?? 0;
    for (let at = last.indexOf(SLASH, from); at > 0; at = last.indexOf(SLASH, at + 1)) {
      folders.push(last.slice(0, at));
    }
    return { keys: readingsOf(page), folders: folders.slice(0, MAX_FOLDERS) };
  }

  /** Takes note of the keys of a page. */
  see(page: ListedPage): void {
    if (this.#missing.size === 0) return;
    const before = this.#missing.size;
    for (const key of readingsOf(page)) this.#missing.delete(key);
    // A key that comes later was not left out.
    if (this.#missing.size < before) this.#options.order.settled = true;
  }

  /** Call it at the end of the listing. Throws if a key is still missing. */
  finish(): void {
    for (const [key, folder] of this.#missing) throw this.#leftOut(key, folder + SLASH);
  }

  #leftOut(key: string, behind: string): Error {
    const { order, fault } = this.#options;
    order.settled = false; // the next listing is no better
    return fault(
      `the server leaves out keys where a page ends within a folder: '${key}' is not listed after '${behind}'`,
    );
  }
}

/** The keys of a page, in all readings. */
function readingsOf(page: ListedPage): Set<string> {
  return new Set(
    Array.from({ length: page.count }, (_, i) => readings(textOf(page.key(i)))).flat(),
  );
}

/**
 * A key as it is, and URL-decoded. A server may encode without saying so, or say so and not encode, and a page of a
 * few keys may show that less clearly than a whole one.
 */
function readings(key: string): string[] {
  if (!/[%+]/.test(key)) return [key];
  const bytes = textBytes(key);
  const end = decodeUrl(bytes, 0, bytes.length);
  return end < 0 ? [key] : [key, textOf(bytes.subarray(0, end))];
}

/** Whether the first key is in a folder that the second one is next to, and would sort after it by its bytes. */
function isInFolder(key: Uint8Array, beside: Uint8Array): boolean {
  let at = 0;
  while (at < beside.length && key[at] === beside[at]) at++;
  return key[at] === 0x2f && (beside[at] ?? 0x2f) < 0x2f;
}
