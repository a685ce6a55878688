/**
 * What decides whether an item of a collection changed: its version, as text. That is its identity in a snapshot. Extra:
 * the JSON as text, or nothing.
 *
 * @module
 */

import { isText, readText } from "../_bytes/exact_text.ts";
import type { Codec } from "./codec.ts";

/** What a snapshot remembers about an item of a collection. */
export interface ItemRecord {
  readonly key: string;
  /** Decides whether the item changed: its version, or its JSON if it has none. */
  readonly version: string;
  /** The JSON that was given in addition to the version; absent if none was. */
  readonly json?: string;
}

/** Reads what `ItemBuilder` wrote. */
export const itemCodec: Codec<ItemRecord> = {
  decode(key, bytes, identity, extra, end) {
    const version = readText(bytes, identity, extra);
    return extra === end ? { key, version } : { key, version, json: readText(bytes, extra, end) };
  },
  check: (bytes, identity, extra, end) =>
    isText(bytes, identity, extra) && isText(bytes, extra, end),
};
