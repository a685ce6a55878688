/** The rules of a listing of several pages: whole, in ranges, aborted, failing. All share one full store. */
import assert from "node:assert/strict";
import { compareKeys } from "../_bytes/order.ts";
import type { ObjectMeta } from "../_diff/object_meta.ts";
import { ExternalError } from "../_errors/external_error.ts";
import type { ListOptions } from "../_listing/object_store.ts";
import { rangesBetween } from "../_listing/range_plan.ts";
import type { StoreFixture } from "./fixtures.ts";
import { poll, promptly, randomNumbers, rejectsWith, shortOf, show } from "./harness.ts";
import {
  fill,
  fullKeys,
  keyOf,
  list,
  pollerOf,
  sortedKeys,
  type StoreRule,
} from "./store_fixture.ts";

export const LISTING_RULES: readonly StoreRule[] = [
  ["a listing over several pages is whole", async (fixture) => {
    const pages = await Array.fromAsync(fixture.store.list());
    assert.deepEqual(sortedKeys(pages.flat()), fullKeys(fixture).sort(compareKeys));
    if (fixture.pageSize !== undefined) {
      assert.ok(pages.length > 2, `'pageSize' says there must be more pages: ${pages.length}`);
    }
  }],

  ["a poll sees what list lists", async (fixture) => {
    const expected = (await list(fixture)).sort((a, b) => compareKeys(a.key, b.key));
    // With a filter a poll always goes through `list`.
    for (const poller of [pollerOf(fixture), pollerOf(fixture, { filter: () => true })]) {
      const events = await poll(poller);
      assert.deepEqual(events.map(({ item }) => item), expected);
      assert.deepEqual(await poll(poller), []);
    }
  }],

  ["a ranged store lists in the byte order of UTF-8", async (fixture, t) => {
    if (fixture.store.ranged !== true) return t.skip("the store is not 'ranged'");
    const keys = (await list(fixture)).map(keyOf);
    assert.deepEqual(keys, [...keys].sort(compareKeys));
  }],

  ["a range leaves out `after` and takes in `until`", async (fixture, t) => {
    if (fixture.store.ranged !== true) return t.skip("the store is not 'ranged'");
    const keys = fullKeys(fixture).sort(compareKeys);
    const at = (share: number): string => keys[Math.floor(share * (keys.length - 1))] as string;
    const ranges: ListOptions[] = [
      { after: at(0.3), until: at(0.7) },
      { after: at(0.5) },
      { until: at(0.5) },
      { after: at(0.5), until: at(0.5) },
      { after: `${at(0.2)}!`, until: `${at(0.4)}!` },
      { after: at(1) },
      { after: at(0.2), prefix: "many/1" },
      { after: at(0.1), until: at(0.9), prefix: "many/" },
      { after: "a", until: "b", prefix: "o/" },
      { after: "zzz", prefix: "many/" },
    ];
    for (const range of ranges) {
      const found = (await list(fixture, range)).map(keyOf);
      assert.deepEqual(found, keys.filter((key) => isIn(key, range)), JSON.stringify(range));
    }
  }],

  ["random ranges together are the whole listing", async (fixture, t) => {
    if (fixture.store.ranged !== true) return t.skip("the store is not 'ranged'");
    const whole = await list(fixture);
    const random = randomNumbers(3);
    for (let round = 0; round < 4; round++) {
      const cuts = Array.from({ length: 1 + round }, () => {
        const key = whole[Math.floor(random() * whole.length)]?.key ?? "m";
        return random() < 0.3 ? key.slice(0, -1) : key;
      });
      const ranges = rangesBetween([...new Set(cuts)].sort(compareKeys));
      const parts = await Promise.all(ranges.map((range) => list(fixture, range)));
      assert.deepEqual(parts.flat(), whole, `cut at ${cuts.map(show)}`);
    }
  }],

  ["a listing with an aborted signal rejects with its reason", async (fixture) => {
    const reason = new Error("enough");
    const signal = AbortSignal.abort(reason);
    await rejectsWith(list(fixture, { signal }), reason, "list");
    await rejectsWith(pollerOf(fixture).poll({ signal }), reason, "poll");
  }],

  ["an abort during the first page ends a listing", async (fixture) => {
    const controller = new AbortController();
    const pages = fixture.store.list({ signal: controller.signal })[Symbol.asyncIterator]();
    const first = pages.next();
    await endsBy(controller, first, pages, fixture);
  }],

  ["an abort between pages ends a listing", async (fixture) => {
    const controller = new AbortController();
    const pages = fixture.store.list({ signal: controller.signal })[Symbol.asyncIterator]();
    const first = pages.next();
    await first;
    await endsBy(controller, first, pages, fixture);
  }],

  ["an abort at any page fails the poll and loses nothing", async (fixture) => {
    const poller = pollerOf(fixture);
    let pages = 0;
    const everything = fullKeys(fixture).length;
    await poller.poll({ signal: new AbortController().signal, onRequest: () => pages++ });
    for (let n = 1; n <= Math.min(pages, 5); n++) {
      const controller = new AbortController();
      const reason = new Error(`enough after ${n}`);
      let seen = 0;
      const onRequest = () => {
        if (++seen === n) controller.abort(reason);
      };
      await rejectsWith(poller.poll({ signal: controller.signal, onRequest }), reason, "poll");
    }
    assert.equal((await poll(poller)).length, everything);
  }],

  ["a listing can be left early", async (fixture) => {
    const leave = async () => {
      for await (const _ of fixture.store.list()) break;
    };
    await promptly(leave(), "leaving the loop");
  }],

  ["a fault on any page fails the poll and loses nothing", async (fixture, t) => {
    if (fixture.failPage === undefined) return t.skip("the fixture has no 'failPage'");
    const poller = pollerOf(fixture);
    await poll(poller);
    await fill(fixture, ["new"]);
    await fixture.delete("many-");
    let faults = 0;
    for (;;) {
      await fixture.failPage(faults + 1);
      const result = await poll(poller).catch((error: unknown) => error);
      if (Array.isArray(result)) {
        // The listing was over before the fault.
        assert.deepEqual(shortOf(result, keyOf), ["removed many-", "added new"]);
        break;
      }
      assert.ok(
        result instanceof ExternalError,
        `poll must reject with an ExternalError: ${result}`,
      );
      if (++faults === 20) break;
    }
    const least = fixture.pageSize === undefined ? 1 : 3;
    assert.ok(faults >= least, `a poll of ${least} pages must fail ${least} times: ${faults}`);
  }],
];

/** Aborts, and fails unless the listing ends soon: with the reason, unless it was complete already. */
async function endsBy(
  controller: AbortController,
  first: Promise<IteratorResult<readonly ObjectMeta[]>>,
  pages: AsyncIterator<readonly ObjectMeta[]>,
  fixture: StoreFixture,
): Promise<void> {
  const reason = new Error("enough");
  controller.abort(reason);
  const thrown = await promptly(
    (async () => {
      // The page under way may still come, but no other.
      let count = (await first).value?.length ?? 0;
      const { done, value } = await pages.next();
      count += done ? 0 : value.length;
      assert.ok(
        done && count === fullKeys(fixture).length,
        "an aborted listing must reject, not go on",
      );
      return reason;
    })().catch((error: unknown) => error),
    "a listing that was aborted",
  );
  if (thrown instanceof assert.AssertionError) throw thrown;
  assert.equal(thrown, reason, "a listing must reject with the reason of its signal, untouched");
}

function isIn(key: string, { prefix = "", after, until }: ListOptions): boolean {
  return key.startsWith(prefix) && (after === undefined || compareKeys(key, after) > 0) &&
    (until === undefined || compareKeys(key, until) <= 0);
}
