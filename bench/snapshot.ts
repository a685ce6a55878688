/**
 * The diff engine alone: a listing of objects in order is tracked by `_diff/snapshot.ts`, and by the loop that a
 * careful user writes: a `Map` of key to metadata, built at each poll and compared with the one before.
 *
 * Run: `deno run -A bench/snapshot.ts [objects]`
 *
 * @module
 */

import process from "node:process";
import { ObjectBuilder } from "../_diff/builder.ts";
import { textBytes } from "../_bytes/exact_text.ts";
import { changes, countChanges } from "../_diff/changes.ts";
import { objectCodec } from "../_diff/object_identity.ts";
import type { Snapshot } from "../_diff/snapshot.ts";
import type { ObjectMeta } from "../store.ts";
import { compare, inTurn, report, SMOKE } from "./_harness.ts";

const COUNT = Number(
  process.argv.slice(2).find((word) => /^\d+$/.test(word)) ?? (SMOKE ? 10_000 : 300_000),
);
const ROUNDS = SMOKE ? 1 : 5;
const PAGE = 1000;

/** One object of the listing, created each time, as in a real listing. `version` changes one in a hundred. */
function objectAt(i: number, version: number): ObjectMeta {
  const seed = i % 100 === 0 ? i + version * 7 : i;
  const digest = (Math.imul(seed, 0x9e3779b1) >>> 0).toString(16).padStart(8, "0").repeat(4);
  return {
    key: `data/2026/11/23/part-${String(i).padStart(9, "0")}-v1.parquet`,
    size: (i * 7919 + 1) % 100_000_007,
    etag: `"${digest}"`,
    lastModified: 1_763_869_468_000 + i * 1000,
  };
}

/** A page as a scanner sees it: the bytes, and where each field is. */
interface RawPage {
  readonly bytes: Uint8Array;
  /** Key start, key end and ETag start of each object; the ETag has 32 bytes. */
  readonly places: Int32Array;
  readonly sizes: Float64Array;
  readonly times: Float64Array;
}

function pages(version: number): ObjectMeta[][] {
  return Array.from(
    { length: Math.ceil(COUNT / PAGE) },
    (_, page) =>
      Array.from(
        { length: Math.min(PAGE, COUNT - page * PAGE) },
        (_, i) => objectAt(page * PAGE + i, version),
      ),
  );
}

function rawPage(page: readonly ObjectMeta[]): RawPage {
  const bytes = textBytes(
    page.map(({ key, etag }) => `<Key>${key}</Key><ETag>${etag}</ETag>`).join(""),
  );
  const places = new Int32Array(page.length * 3);
  let at = 0;
  page.forEach(({ key, etag = "" }, i) => {
    places.set([at + 5, at + 5 + key.length, at + 5 + key.length + 6 + 6 + 1], i * 3);
    at += 5 + key.length + 6 + 6 + etag.length + 7;
  });
  return {
    bytes,
    places,
    sizes: Float64Array.from(page, ({ size }) => size),
    times: Float64Array.from(page, ({ lastModified = 0 }) => lastModified),
  };
}

function build(listing: readonly ObjectMeta[][], old?: Snapshot): Snapshot {
  const builder = new ObjectBuilder(old);
  for (const page of listing) for (const object of page) builder.add(object);
  return builder.finish();
}

function buildRaw(listing: readonly RawPage[], old?: Snapshot): Snapshot {
  const builder = new ObjectBuilder(old);
  for (const { bytes, places, sizes, times } of listing) {
    for (let i = 0; i < sizes.length; i++) {
      const etag = places[3 * i + 2] as number;
      builder.addRaw(
        bytes,
        places[3 * i] as number,
        places[3 * i + 1] as number,
        bytes,
        etag,
        etag + 32,
        true,
        sizes[i] as number,
        times[i] as number,
      );
    }
  }
  return builder.finish();
}

function buildMap(listing: readonly ObjectMeta[][]): Map<string, ObjectMeta> {
  const map = new Map<string, ObjectMeta>();
  // A listing gives new objects at each poll, and the rival keeps those.
  for (const page of listing) for (const object of page) map.set(object.key, { ...object });
  return map;
}

function diffMaps(old: Map<string, ObjectMeta>, next: Map<string, ObjectMeta>): number {
  let changed = 0;
  for (const [key, object] of next) {
    const before = old.get(key);
    if (before === undefined || before.etag !== object.etag || before.size !== object.size) {
      changed++;
    }
  }
  for (const key of old.keys()) if (!next.has(key)) changed++;
  return changed;
}

const changed = Math.ceil(COUNT / 100);
const first = pages(0);
const second = pages(1);
const rawFirst = first.map(rawPage);
const rawSecond = second.map(rawPage);
const snapshot = build(first);
const old = buildMap(first);

/** How many objects differ from the first listing. */
function differences(next: Snapshot): number {
  let count = countChanges(snapshot, next).removed;
  for (const _ of changes(snapshot, next, objectCodec)) count++;
  return count;
}

const polls = [
  ["unchanged", 0, () => differences(build(first, snapshot)), 0],
  ["unchanged, from the bytes of a listing", 0, () => differences(buildRaw(rawFirst, snapshot)), 0],
  ["1 % changed", changed, () => differences(build(second, snapshot)), 1],
  [
    "1 % changed, from the bytes of a listing",
    changed,
    () => differences(buildRaw(rawSecond, snapshot)),
    1,
  ],
] as const;
const times = await inTurn([
  { name: "Map, unchanged", expected: 0, work: () => diffMaps(old, buildMap(first)) },
  { name: "Map, 1 % changed", expected: changed, work: () => diffMaps(old, buildMap(second)) },
  ...polls.map(([name, expected, work]) => ({ name, expected, work })),
], ROUNDS);
const [unchangedMap = [], changedMap = [], ...ours] = times.map((list) =>
  list.map((ms) => ms * 1e6 / COUNT)
);
report(polls.map(([name, , , change], i) =>
  compare({
    what: `tracking ${COUNT.toLocaleString("en")} objects, ${name}`,
    ours: ours[i] ?? [],
    rival: change === 0 ? unchangedMap : changedMap,
    name: "Map",
    unit: "ns/object",
    digits: 0,
  })
));
