// Keys that are asked for together, and pages that are read one by one.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ObjectBuilder } from "../../_diff/builder.ts";
import { groupKeys } from "../../_listing/key_groups.ts";
import { checkPageSize } from "../../_listing/page_size.ts";
import { eachPage } from "../../_listing/every_page.ts";

/** The groups of some keys, as text, where so many keys are known under a prefix. */
function groups(keys: readonly string[], known?: Readonly<Record<string, number>>): string[] {
  const builder = new ObjectBuilder();
  for (const [prefix, count] of Object.entries(known ?? {})) {
    for (let i = 0; i < count; i++) {
      builder.add({ key: `${prefix}${String(i).padStart(3, "0")}`, size: 1 });
    }
  }
  return groupKeys(keys, known && builder.finish())
    .map(({ prefix, keys }) => `${prefix}: ${keys.join(" ")}`);
}

test("keys that share a beginning are one request", () => {
  assert.deepEqual(groups([], {}), []);
  assert.deepEqual(groups(["a/2", "b", "a/1", "a/10"], {}), ["a/: a/1 a/10 a/2", "b: b"]);
  assert.deepEqual(groups(["a/1", "a/2", "ab"], {}), ["a: a/1 a/2 ab"]);
  assert.deepEqual(groups(["a/1", "a/2", "b"]), ["a/1: a/1", "a/2: a/2", "b: b"], "nothing known");
});

test("no more than 500 known keys are under the beginning of a group", () => {
  assert.deepEqual(groups(["a/1", "a/2"], { "a/": 500 }), ["a/: a/1 a/2"]);
  assert.deepEqual(groups(["a/1", "a/2"], { "a/": 501 }), ["a/1: a/1", "a/2: a/2"]);
  assert.deepEqual(groups(["a/1", "a/2"], { "a/": 500, "b/": 500 }), ["a/: a/1 a/2"]);
  assert.deepEqual(groups(["b/1", "b/2"], { "a/": 501, "b/": 2 }), ["b/: b/1 b/2"]);
  assert.deepEqual(groups(["b/x/1", "b/x/2", "b/y"], { "b/": 501, "b/x/": 3 }), [
    "b/x/: b/x/1 b/x/2",
    "b/y: b/y",
  ]);
});

test("a beginning has no half of a character", () => {
  assert.deepEqual(groups(["a\u{1f600}", "a\u{1f601}"], {}), ["a: a\u{1f600} a\u{1f601}"]);
  assert.deepEqual(groups(["\u{1f600}", "\u{1f601}"], {}), [
    "\u{1f600}: \u{1f600}",
    "\u{1f601}: \u{1f601}",
  ]);
});

/** Pages, and whether their reader let go of them. */
function pages(...found: readonly string[]) {
  const state = { returned: 0 };
  const left = found.values();
  const iterable: AsyncIterable<string> = {
    [Symbol.asyncIterator]: () => ({
      next: () => Promise.resolve(left.next()),
      return: () => {
        state.returned++;
        return Promise.reject(new Error("nobody's error"));
      },
    }),
  };
  return { iterable, state };
}

test("a listing is read to its end, or let go of", async () => {
  const { signal } = new AbortController();
  const whole = pages("a", "b");
  const seen: string[] = [];
  await eachPage(whole.iterable, signal, (page) => void seen.push(page));
  assert.deepEqual(seen, ["a", "b"]);
  assert.equal(whole.state.returned, 0);

  const ended = pages("a", "b", "c");
  await eachPage(ended.iterable, signal, (page) => seen.push(page) < 4);
  assert.deepEqual(seen, ["a", "b", "a", "b"]);
  assert.equal(ended.state.returned, 1);

  const failed = pages("a");
  const thrown = new Error("not mine");
  const isThrown = (error: unknown) => error === thrown;
  await assert.rejects(
    eachPage(failed.iterable, signal, () => {
      throw thrown;
    }),
    isThrown,
  );
  assert.equal(failed.state.returned, 1);
});

test("an abort ends a listing that hangs, and one that did not begin", async () => {
  const stop = new AbortController();
  const reason = new Error("enough");
  const isReason = (error: unknown) => error === reason;
  const hanging = {
    [Symbol.asyncIterator]: () => ({
      next() {
        queueMicrotask(() => stop.abort(reason));
        return new Promise<never>(() => {});
      },
    }),
  };
  await assert.rejects(eachPage(hanging, stop.signal, () => {}), isReason);
  const unread: AsyncIterable<string> = {
    [Symbol.asyncIterator]: () => assert.fail("nothing is asked for"),
  };
  await assert.rejects(eachPage(unread, stop.signal, () => {}), isReason);
});

test("a page size is a whole number within the service's bounds", () => {
  assert.equal(checkPageSize("Store", undefined, 1_000), undefined);
  for (const size of [1, 999, 1_000]) assert.equal(checkPageSize("Store", size, 1_000), size);
  for (const size of [0, -1, 1.5, NaN, Infinity, 1_001]) {
    assert.throws(() => checkPageSize("Store", size, 1_000), {
      name: "RangeError",
      message:
        `Cannot make a Store as 'pageSize' must be a whole number from 1 to 1000: current value is ${size}`,
    });
  }
  for (const size of ["5", null, 5n]) {
    assert.throws(() => checkPageSize("Store", size, 1_000), {
      name: "TypeError",
      message: /'pageSize' must be a number: current value is of type /,
    });
  }
});
