// Keys that are no well-formed strings, in a store that is listed in ranges: the order is that of bytes, and no request names
// half of a character.
import { ObjectStorePoller } from "@koprs/external/store";
import fc from "fast-check";
import assert from "node:assert/strict";
import { test } from "node:test";
import { compareKeys } from "../../_bytes/order.ts";
import { TimedStore } from "./_timed_store.ts";

const unit = fc.constantFrom(
  ...["a", "b", "/", "\ud7ff", "\ud800", "\udbff", "\udc00", "\udfff", "\ue000", "\uffff"],
  ...["\u{10000}", "\u{1f600}", "\u{10ffff}"],
);
const key = fc.array(unit, { minLength: 1, maxLength: 6 }).map((units) => units.join(""));
/** Halves of pairs all over, or only here and there. */
const keys = fc.oneof(
  fc.uniqueArray(key, { minLength: 60, maxLength: 200, size: "max" }),
  fc.tuple(
    fc.uniqueArray(fc.nat(9_999).map((i) => `k/${String(i).padStart(4, "0")}`), {
      minLength: 100,
      maxLength: 200,
      size: "max",
    }),
    fc.array(fc.tuple(fc.nat(9_999), key), { maxLength: 20 }),
  ).map(([plain, odd]) => [
    ...new Set([...plain, ...odd.map(([i, key]) => `k/${String(i).padStart(4, "0")}${key}`)]),
  ]),
);

test("lone surrogates: every poll is right, in ranges, and asks for well-formed keys alone", {
  timeout: 60_000,
}, async () => {
  let cuts = 0;
  await fc.assert(
    fc.asyncProperty(
      keys,
      fc.array(fc.array(fc.nat(199), { maxLength: 30 }), { minLength: 1, maxLength: 3 }),
      fc.integer({ min: 1, max: 7 }),
      fc.boolean(),
      fc.boolean(),
      async (unsorted, gone, pageSize, clips, filtered) => {
        const all = unsorted.sort(compareKeys);
        const store = new TimedStore(all, { pageSize, clips });
        const filter = filtered ? { filter: () => true } : {};
        let poller = new ObjectStorePoller(store, filter);
        let known: readonly string[] = [];
        for (const [round, places] of [[], ...gone, []].entries()) {
          store.keys = all.filter((_, i) => !places.includes(i));
          const events = await poller.poll({
            signal: new AbortController().signal,
            onWarning: assert.fail,
          });
          const expected = [
            ...known.filter((key) => !store.keys.includes(key)).map((key) => [key, "removed"]),
            ...store.keys.filter((key) => !known.includes(key)).map((key) => [key, "added"]),
          ].sort(([a = ""], [b = ""]) => compareKeys(a, b));
          assert.deepEqual([...events].map(({ type, item }) => [item.key, type]), expected);
          known = store.keys;
          if (round !== 1) continue;
          const state = poller.save();
          poller = new ObjectStorePoller(store, filter);
          poller.restore(state);
        }
        for (const { after = "", until = "" } of store.calls) {
          assert.ok(after.isWellFormed() && until.isWellFormed());
          cuts++;
        }
      },
    ),
    { numRuns: 150 },
  );
  assert.ok(cuts > 3_000, `${cuts}`);
});

test("lone surrogates: a prefix with half of a character is refused", () => {
  const store = new TimedStore([]);
  for (const prefix of ["\ud800", "a\udc00", "\udc00\ud800"]) {
    assert.throws(() => new ObjectStorePoller(store, { prefix }), TypeError);
  }
  new ObjectStorePoller(store, { prefix: "\u{1f600}" });
});
