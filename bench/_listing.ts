// Measures a poll of a bucket in which nothing changed, for the benchmarks of S3, GCS and Azure: our poll, the rivals
// with their `Map`, and as the floor a bare `fetch` of the same pages, which are dropped.
import process from "node:process";
import { type ObjectStore, ObjectStorePoller } from "@koprs/external/store";
import type { Canned } from "./_canned.ts";
import { compare, inTurn, type Row, RUNTIME, type Side, SMOKE } from "./_harness.ts";

const ROUNDS = SMOKE ? 1 : 3;

/** What a careful user remembers about an object. */
export interface Known {
  readonly size: number | undefined;
  readonly etag: string | undefined;
  readonly time: number | undefined;
}

/** A way to list a bucket without this package. */
export interface Rival {
  readonly name: string;
  list(): Promise<Map<string, Known>>;
}

/** A store to poll, and the other ways to list it. */
export interface Listing {
  readonly name: string;
  readonly store: ObjectStore;
  /** The budget is for the first one. */
  readonly rivals: readonly Rival[];
  readonly pageSize: number;
  /** Fetches the page that begins with an object. */
  fetchPage(first: number): Promise<Response>;
  /** Gives an object another version. */
  touch(i: number): Promise<void>;
  /** The budgets, if there are any: at least this ratio to the first rival, and at most this ratio to the floor. */
  budget(count: number, latency: number): { rival?: number; floor?: number };
}

/** How many objects there are, and the ms that a page takes in each case. */
interface Work {
  readonly count: number;
  readonly latencies: readonly number[];
}

/** Reads the numbers of the command line: the number of objects, then the latencies. */
export function workOf(usual: Work): Work {
  if (SMOKE) return { count: 6_000, latencies: [0, 5] };
  const [count, ...latencies] = process.argv.slice(2).filter((word) => /^\d+$/.test(word)).map(
    Number,
  );
  if (count === undefined) return usual;
  return { count, latencies: latencies.length > 0 ? latencies : [0] };
}

/** How many objects differ between two listings. */
function countChanges(old: ReadonlyMap<string, Known>, next: ReadonlyMap<string, Known>): number {
  let changed = 0;
  for (const [key, object] of next) {
    const before = old.get(key);
    if (before?.etag !== object.etag || before?.size !== object.size) changed++;
  }
  for (const key of old.keys()) if (!next.has(key)) changed++;
  return changed;
}

/** Each poll returns how many changes it found; negative if it did not see all objects. */
function sidesOf({ name, store, rivals, pageSize, fetchPage }: Listing, count: number) {
  const pages = Math.ceil(count / pageSize);
  const poller = new ObjectStorePoller(store);
  const { signal } = new AbortController();
  const ours = async () => {
    let requests = 0;
    let changes = 0;
    for (const _ of await poller.poll({ signal, onRequest: () => void requests++ })) changes++;
    return requests < pages ? -requests : changes;
  };
  const others = rivals.map(({ list }) => {
    let old = new Map<string, Known>();
    return async () => {
      const next = await list();
      const changes = countChanges(old, next);
      old = next;
      return next.size === count ? changes : -next.size;
    };
  });
  const floor = async () => {
    for (let first = 0; first < count; first += pageSize) {
      const response = await fetchPage(first);
      const { byteLength } = await response.arrayBuffer();
      // Even the shortest entry has more than 100 bytes.
      if (!response.ok || byteLength < 100 * Math.min(pageSize, count - first)) return -first - 1;
    }
    return 0;
  };
  const side = (name: string, work: () => Promise<number>): Side => ({ name, expected: 0, work });
  return {
    ours: side(`our poll of ${name}`, ours),
    others: others.map((work, i) => side(rivals[i]?.name ?? "", work)),
    floor: side("fetch", floor),
  };
}

/**
 * Measures polls of a bucket of `count` objects. If the latency of the server can be set, it does so with each latency.
 */
export async function measure(
  listing: Listing,
  { count, latencies }: Work,
  server?: Pick<Canned, "set">,
): Promise<Row[]> {
  const { ours, others, floor } = sidesOf(listing, count);
  const rowOf = (latency: number, isFloor: boolean, name: string, times: number[][], i = 1) => {
    const [us = [], rival = []] = [times[0], times[i]].map((list) =>
      list?.map((ms) => ms * 1000 / count)
    );
    const { rival: least, floor: most } = listing.budget(count, latency);
    return compare({
      what: `${listing.name}, ${count.toLocaleString("en")} unchanged, ` +
        `${server === undefined ? "" : `${latency} ms a page, `}${RUNTIME}`,
      ours: us,
      rival,
      name,
      unit: "µs/object",
      digits: 2,
      sense: isFloor ? "as long" : "faster",
      budget: isFloor ? most : i === 1 ? least : undefined,
    });
  };
  await server?.set({ count, latency: 0 });
  await inTurn([{ ...ours, expected: count }], 1);
  const rows: Row[] = [];
  // Done before the rivals' maps fill the heap. At a higher latency, only the latency would be measured.
  for (const latency of latencies.filter((ms) => ms < 50)) {
    await server?.set({ latency });
    const sides = [ours, { ...floor, ...(latency > 0 && { rounds: 1, warm: true }) }];
    rows.push(rowOf(latency, true, "fetch, dropped", await inTurn(sides, ROUNDS)));
  }
  await server?.set({ latency: 0 });
  await inTurn(others.map((side) => ({ ...side, expected: count })), 1);
  for (const latency of latencies) {
    await server?.set({ latency });
    // The rivals have warmed up by now. Where one mostly waits, or takes long, fewer rounds are enough.
    const rounds = latency > 0 ? 1 : count < 1_000_000 ? 3 : 2;
    const sides = [ours, ...others.map((side) => ({ ...side, warm: true, rounds }))];
    const times = await inTurn(sides, ROUNDS);
    for (const [i, { name }] of listing.rivals.entries()) {
      rows.push(rowOf(latency, false, name, times, i + 1));
    }
  }
  return rows;
}

/** Checks that all sides notice when an object changes. */
export async function expectChanges(
  listing: Listing,
  count: number,
  server?: Pick<Canned, "set">,
): Promise<void> {
  await server?.set({ count, latency: 0 });
  const { ours, others } = sidesOf(listing, count);
  const sides = (expected: number) => [ours, ...others].map((side) => ({ ...side, expected }));
  await inTurn(sides(count), 1);
  await listing.touch(Math.floor(count / 2));
  await inTurn(sides(1), 1);
}
