/**
 * Reads a page of a listing of Google Cloud Storage from the bytes of its JSON, in any order and spacing. Only the
 * fields of an object that are needed are read.
 *
 * @module
 */
import type { ExternalError } from "../_errors/external_error.ts";
import { JsonReader } from "./json.ts";
import type { ListedPage } from "./listed_page.ts";
import { isoTime } from "./times.ts";
import { readDigits } from "./utf8.ts";

/** The fields that the server is asked for. Without `nextPageToken` a listing would end after the first page. */
export const GCS_FIELDS = "kind,nextPageToken,items(name,generation,size,updated)";

/** Digits of the largest generation. */
const MAX_DIGITS = 20;

/** A page, and the token of the next one if there is one. */
export interface GcsPage {
  readonly page: ListedPage;
  readonly nextPageToken: string | undefined;
}

/**
 * Reads a page.
 *
 * @param bytes The whole answer. It is modified: escapes are decoded in place, which never needs more room.
 * @param page The page to empty and fill. It names the store in errors, and knows the prefix that was asked for.
 * @throws {ExternalError} with code `"protocol"` if the answer is not a complete listing.
 */
export function scanGcsPage(
  bytes: Uint8Array,
  page: ListedPage,
): GcsPage {
  page.reset(bytes);
  const reader = new GcsReader(bytes, page);
  try {
    const nextPageToken = reader.read();
    page.check();
    return { page, nextPageToken };
  } catch (thrown) {
    throw thrown instanceof SyntaxError ? page.incomplete(thrown.message) : thrown;
  }
}

class GcsReader {
  readonly #bytes: Uint8Array;
  readonly #page: ListedPage;
  readonly #json: JsonReader;

  constructor(bytes: Uint8Array, page: ListedPage) {
    this.#bytes = bytes;
    this.#page = page;
    this.#json = new JsonReader(bytes);
  }

  read(): string | undefined {
    const json = this.#json;
    let kind: string | undefined;
    let token: string | undefined;
    let listed = false;
    if (json.opensObject()) {
      do {
        json.name();
        // Other readers would take the last of two fields with the same name.
        if (json.isText("kind")) {
          if (kind !== undefined) throw this.#broken("'kind' twice");
          json.string();
          kind = json.text();
        } else if (json.isText("nextPageToken")) {
          if (token !== undefined) throw this.#broken("'nextPageToken' twice");
          json.string();
          token = json.text();
        } else if (json.isText("items")) {
          if (listed) throw this.#broken("'items' twice");
          listed = true;
          if (json.opensArray()) { do this.#item(); while (json.nextValue()); }
        } else {
          json.skip();
        }
      } while (json.nextField());
    }
    json.finish();
    if (kind !== "storage#objects") {
      throw this.#broken("the answer is JSON of another kind than 'storage#objects'");
    }
    return token || undefined;
  }

  #item(): void {
    const json = this.#json;
    let keyStart = -1, keyEnd = -1, etagStart = -1, etagEnd = -1, size = -1, time = NaN;
    if (json.opensObject()) {
      do {
        json.name();
        if (json.isText("name")) {
          if (keyStart >= 0) throw this.#broken("an object with two names");
          json.string();
          keyStart = json.start;
          keyEnd = json.end;
        } else if (json.isText("generation")) {
          if (etagStart >= 0) throw this.#broken("an object with two generations");
          this.#digits();
          etagStart = json.start;
          etagEnd = json.end;
        } else if (json.isText("size")) {
          if (size >= 0) throw this.#broken("an object with two sizes");
          this.#digits();
          size = readDigits(this.#bytes, json.start, json.end);
          if (size < 0) throw this.#broken("an object with a size of 2^53 or more");
        } else if (json.isText("updated")) {
          if (time === time) throw this.#broken("an object with two times");
          json.string();
          time = isoTime(this.#bytes, json.start, json.end);
          if (time !== time) throw this.#broken("an object with an invalid time");
        } else {
          json.skip();
        }
      } while (json.nextField());
    }
    if (keyEnd <= keyStart) throw this.#broken("an object without a name");
    if (etagStart < 0) throw this.#broken("an object without a generation");
    this.#page.push(keyStart, keyEnd, etagStart, etagEnd, false, size, time);
  }

  /** Reads a whole number: as a string, which is how JSON keeps 64 bits, or as a number. */
  #digits(): void {
    const json = this.#json;
    if (json.isString()) json.string();
    else json.number();
    let right = json.end > json.start && json.end - json.start <= MAX_DIGITS;
    for (let at = json.start; right && at < json.end; at++) {
      const digit = (this.#bytes[at] as number) - 0x30;
      right = digit >= 0 && digit <= 9;
    }
    if (!right) throw this.#broken("a number that is not whole");
  }

  #broken(what: string): ExternalError {
    return this.#page.incomplete(what);
  }
}
