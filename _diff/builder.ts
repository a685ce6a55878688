/** The two builders of snapshots: of objects, and of the items of a collection. */
import { withRoom } from "../_bytes/bytes.ts";
import { readText, writeText } from "../_bytes/exact_text.ts";
import { ExternalError } from "../_errors/external_error.ts";
import { Builder } from "./merge_builder.ts";
import { OBJECT_ROOM, writeBareIdentity, writeIdentity, writeTime } from "./object_identity.ts";
import type { ObjectMeta } from "./object_meta.ts";

/**
 * Builds a snapshot of objects.
 *
 * @example
 * ```ts ignore
 * const builder = new ObjectBuilder(old);
 * builder.add({ key: "a", size: 1, etag: '"x"' });
 * builder.keep("b");
 * const next = builder.finish();
 * ```
 */
export class ObjectBuilder extends Builder {
  /**
   * Adds an object.
   *
   * @throws {ExternalError} with code `"protocol"` if its size is not a whole number from 0 to 2⁵³−1.
   */
  add(object: ObjectMeta): void {
    const { key, size, etag, lastModified } = object;
    checkSize(size, key);
    if (etag === undefined) {
      this.#setBare(size, lastModified);
    } else {
      this.#etag = withRoom(this.#etag, 0, etag.length * 3);
      const length = writeText(etag, this.#etag, 0);
      this.#set(this.#etag, 0, length, false, size, lastModified);
    }
    this.putText(key);
  }

  /**
   * Adds an object whose key and ETag a scanner has as bytes. The arrays are not kept: they may be scratch buffers.
   *
   * @param keyBytes Holds the key as UTF-8, with all escapes (XML, JSON, URL) decoded.
   * @param keyStart Where it begins.
   * @param keyEnd Where it ends.
   * @param etagBytes Holds the ETag, with all escapes decoded. It may be another array than that of the key.
   * @param etagStart Where it begins: after the opening quote if `quoted` is set; -1 for no ETag.
   * @param etagEnd Where it ends.
   * @param quoted Whether the ETag stood in double quotes that the range leaves out, so that `&quot;` need not be
   * decoded. A range that includes the quotes gives the same result.
   * @param size In bytes.
   * @param time When it was last written, in ms since the epoch.
   * @throws {ExternalError} with code `"protocol"` if the key is not UTF-8 or the size not a whole number.
   */
  addRaw(
    keyBytes: Uint8Array,
    keyStart: number,
    keyEnd: number,
    etagBytes: Uint8Array,
    etagStart: number,
    etagEnd: number,
    quoted: boolean,
    size: number,
    time: number | undefined,
  ): void {
    if (!(size >= 0 && Number.isSafeInteger(size))) {
      checkSize(size, readText(keyBytes, keyStart, keyEnd));
    }
    if (etagStart < 0) this.#setBare(size, time);
    else this.#set(etagBytes, etagStart, etagEnd, quoted, size, time);
    this.put(keyBytes, keyStart, keyEnd);
  }

  /**
   * Keeps the entry of the old snapshot for a key, such as for an object that is too young to be looked at. Adds
   * nothing if there is none.
   */
  keep(key: string): void {
    this.putOldText(key);
  }

  /** Does the same for a key in bytes, as in `addRaw`. */
  keepRaw(keyBytes: Uint8Array, keyStart: number, keyEnd: number): void {
    this.putOld(keyBytes, keyStart, keyEnd);
  }

  #etag: Uint8Array = new Uint8Array(256);

  #set(
    etag: Uint8Array,
    start: number,
    end: number,
    quoted: boolean,
    size: number,
    time: number | undefined,
  ): void {
    const body = this.body = withRoom(this.body, 0, OBJECT_ROOM + end - start);
    this.extraStart = writeIdentity(etag, start, end, quoted, size, body);
    this.bodyEnd = writeTime(time, body, this.extraStart);
  }

  #setBare(size: number, time: number | undefined): void {
    this.extraStart = this.bodyEnd = writeBareIdentity(size, time, this.body);
  }
}

/** Builds a snapshot of the items of a collection. */
export class ItemBuilder extends Builder {
  /**
   * Adds an item.
   *
   * @param key Its key.
   * @param version Its version, or its JSON: the item counts as changed when this changes.
   * @param json Its JSON, if the version is something else and the JSON is to be remembered.
   */
  add(key: string, version: string, json = ""): void {
    this.body = withRoom(this.body, 0, 3 * (version.length + json.length));
    this.extraStart = writeText(version, this.body, 0);
    this.bodyEnd = writeText(json, this.body, this.extraStart);
    this.putText(key);
  }

  /** Keeps the entry of the old snapshot for a key, if there is one. */
  keep(key: string): void {
    this.putOldText(key);
  }
}

function checkSize(size: number, key: string): void {
  if (Number.isSafeInteger(size) && size >= 0) return;
  throw new ExternalError(
    "protocol",
    `Cannot track '${key}' as its size is not a whole number of bytes: ${size}`,
  );
}
