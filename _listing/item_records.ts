/** The items of a collection as records of a snapshot, and back. */
import { ItemBuilder } from "../_diff/builder.ts";
import { type Codec, itemCodec, type ItemRecord } from "../_diff/codec.ts";
import type { Change, Snapshot } from "../_diff/snapshot.ts";
import type { ExternalEvent } from "../_diff/source.ts";

/** A snapshot of items in any order; the last of a key counts. */
export function snapshotOf(items: Iterable<ItemRecord>): Snapshot {
  const builder = new ItemBuilder();
  for (const { key, version, json } of items) builder.add(key, version, json);
  return builder.finish();
}

/** Refuses, when a state is restored, items whose JSON is none. */
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

/** The event of a change, with the items that their JSON is. */
export function parsed<T>(change: Change<ItemRecord>): ExternalEvent<T> {
  return change.type === "modified"
    ? { type: "modified", item: itemOf(change.item), previous: itemOf(change.previous) }
    : { type: change.type, item: itemOf(change.item) };
}

/** The item of a record. Where there is no version the JSON takes its place. */
export function itemOf<T>({ json, version }: ItemRecord): T {
  return JSON.parse(json ?? version);
}
