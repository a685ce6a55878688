import assert from "node:assert/strict";
import { setImmediate } from "node:timers";
import { test } from "node:test";
import { Breath } from "../../_group/breath.ts";

test("who reads without waiting has a break after 64 events and 10 milliseconds", async (t) => {
  let now = 1_000;
  t.mock.method(performance, "now", () => now);
  const breath = new Breath();
  const reads = (count: number) => Array.from({ length: count }, () => breath.next());
  const none = (promises: unknown[]) => assert.ok(promises.every((p) => p === undefined));
  none(reads(1));
  now += 100;
  none(reads(63));
  const pause = breath.next();
  assert.ok(pause instanceof Promise, "after 64 events");
  await pause;
  // And from there on again.
  none(reads(65));
  now += 9.9;
  none(reads(1_000));
  now += 0.1;
  assert.ok(breath.next() instanceof Promise, "after 10 milliseconds");
  // A read that waited was a break.
  none(reads(100));
  breath.taken();
  none(reads(1));
  now += 10;
  none(reads(63));
  assert.ok(breath.next() instanceof Promise);
});

test("in a break the runtime processes what has arrived", async (t) => {
  let now = 0;
  t.mock.method(performance, "now", () => now);
  const breath = new Breath();
  for (let i = 0; i < 64; i++) breath.next();
  now += 10;
  const order: string[] = [];
  setImmediate(() => order.push("arrived"));
  await new Promise((resolve) => setImmediate(resolve));
  await breath.next();
  order.push("read");
  assert.deepEqual(order, ["arrived", "read"]);
});
