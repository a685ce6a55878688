/**
 * The diff engine alone: a listing of objects in order, tracked by `_snapshot.ts` and by a `Map`.
 *
 * Run: `deno run bench/snapshot.ts [objects]`, `node bench/snapshot.ts [objects]`, `bun bench/snapshot.ts [objects]`.
 *
 * The rival is the loop a careful user writes: a `Map` of key to metadata, rebuilt at each poll and compared with the one
 * before. Each side runs in turn, the median counts, and every run checks that its work was done.
 *
 * @module
 */

import process from "node:process";
import { ObjectBuilder } from "../_builder.ts";
import { textBytes } from "../_bytes.ts";
import { objectCodec } from "../_codec.ts";
import { changes, countChanges, Snapshot } from "../_snapshot.ts";
import type { ObjectMeta } from "../store.ts";
import { report, SMOKE } from "./_harness.ts";

const COUNT = Number(
  process.argv.slice(2).find((word) => /^\d+$/.test(word)) ?? (SMOKE ? 10_000 : 1_000_000),
);
const ROUNDS = SMOKE ? 1 : 5;
const PAGE = 1000;

/** One object of the listing, made anew each time as a listing does. `version` changes one in a hundred. */
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
  // A listing gives new objects at each poll: the rival keeps those.
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

/** The median time of some runs, in ns an object, and the spread. `work` returns a count to check. */
function measure(name: string, expected: number, work: () => number): number {
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now();
    const done = work();
    times.push((performance.now() - start) * 1e6 / COUNT);
    if (done !== expected) throw new Error(`${name}: ${done} instead of ${expected}`);
  }
  times.sort((a, b) => a - b);
  const median = times[ROUNDS >> 1] as number;
  const spread = `${(times[0] as number).toFixed(0)}–${(times.at(-1) as number).toFixed(0)}`;
  console.log(`${name.padEnd(44)} ${median.toFixed(0).padStart(6)} ns an object  (${spread})`);
  return median;
}

const changed = Math.ceil(COUNT / 100);
const first = pages(0);
const second = pages(1);
const rawFirst = first.map(rawPage);
const rawSecond = second.map(rawPage);
const snapshot = build(first);
const next = build(second, snapshot);
const apart = build(first); // equal, and no chunk shared

console.log(`${COUNT} objects, keys of ${first[0]?.[0]?.key.length} characters`);
console.log(
  `${snapshot.chunks.length} chunks, ${(snapshot.byteLength / COUNT).toFixed(1)} bytes an object\n`,
);
measure("build, no hint", COUNT, () => build(first).count);
measure("build, no hint, raw", COUNT, () => buildRaw(rawFirst).count);
const ours = measure("poll, unchanged", 0, () => {
  const built = build(first, snapshot);
  return countChanges(snapshot, built).removed + [...changes(snapshot, built, objectCodec)].length;
});
const oursRaw = measure("poll, unchanged, raw", 0, () => {
  const built = buildRaw(rawFirst, snapshot);
  return countChanges(snapshot, built).removed + [...changes(snapshot, built, objectCodec)].length;
});
measure("poll, 1 % changed everywhere", changed, () => {
  const built = build(second, snapshot);
  return countChanges(snapshot, built).removed + [...changes(snapshot, built, objectCodec)].length;
});
measure("poll, 1 % changed everywhere, raw", changed, () => {
  const built = buildRaw(rawSecond, snapshot);
  return countChanges(snapshot, built).removed + [...changes(snapshot, built, objectCodec)].length;
});
measure("merge, every chunk shared", 0, () => countChanges(snapshot, snapshot).added);
measure("merge, no chunk shared", 0, () => countChanges(snapshot, apart).added);
measure("merge, 1 % changed everywhere", changed, () => countChanges(snapshot, next).modified);
measure("first delivery: every object decoded", COUNT, () => {
  let count = 0;
  for (const change of changes(Snapshot.empty, snapshot, objectCodec)) {
    if (change.item.etag !== undefined) count++;
  }
  return count;
});
const shuffled = first.toReversed();
measure("poll, pages backwards", COUNT, () => build(shuffled, snapshot).count);
const saved = snapshot.save("bench");
measure("save", saved.length, () => snapshot.save("bench").length);
measure("restore", COUNT, () => Snapshot.restore(saved, "bench", objectCodec).count);
const old = buildMap(first);
const rival = measure("rival: a Map, unchanged", 0, () => diffMaps(old, buildMap(first)));
measure("rival: a Map, 1 % changed everywhere", changed, () => diffMaps(old, buildMap(second)));
console.log();
const each = (ns: number) => `${ns.toFixed(0)} ns an object`;
report([
  {
    what: `tracking ${COUNT.toLocaleString("en")} unchanged objects; rival: a Map (rival ÷ ours)`,
    ours: each(ours),
    rival: each(rival),
    ratio: rival / ours,
  },
  {
    what: `the same from the bytes of a listing; rival: a Map (rival ÷ ours)`,
    ours: each(oursRaw),
    rival: each(rival),
    ratio: rival / oursRaw,
  },
]);
