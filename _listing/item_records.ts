/** The items of a collection as records of a snapshot, and back. */
import { ItemBuilder } from "../_diff/builder.ts";
import type { Codec } from "../_diff/codec.ts";
import { itemCodec, type ItemRecord } from "../_diff/item_identity.ts";
import type { Change, Snapshot } from "../_diff/snapshot.ts";
import type { ExternalEvent } from "../_diff/source.ts";

/** A snapshot of items in any order; of several with the same key the last counts. */
export function snapshotOf(items: Iterable<ItemRecord>): Snapshot {
  const builder = new ItemBuilder();
  for (const { key, version, json } of items) builder.add(key, version, json);
  return builder.finish();
}

/** When a state is restored, refuses items whose JSON is not valid. */
export const jsonCodec: Codec<ItemRecord> = {
  ...itemCodec,
  check(bytes, identity, extra, end) {
    try {
      itemOf(itemCodec.decode("", bytes, identity, extra, end));
      return true;
    } catch {
      return false;
    }
  },
};

/** The event of a change, with its items parsed from JSON. */
export function parsed<T>(change: Change<ItemRecord>): ExternalEvent<T> {
  return change.type === "modified"
    ? { type: "modified", item: itemOf(change.item), previous: itemOf(change.previous) }
    : { type: change.type, item: itemOf(change.item) };
}

/** The item of a record. Without a `version` option the record has the JSON as its version. */
export function itemOf<T>({ json, version }: ItemRecord): T {
  return JSON.parse(json ?? version);
}
