import assert from "node:assert/strict";
import { test } from "node:test";
import { PartQueue } from "../../_watch/part_queue.ts";

const keysOf = (count: number) => Array.from({ length: count }, (_, i) => `key ${i}`);

test("one prefix and all keys are taken at a time, until nothing waits", () => {
  const queue = new PartQueue();
  assert.equal(queue.isEmpty, true);
  queue.add({ prefix: "a/" });
  queue.add({ prefix: "b/", keys: ["x", "b/covered", "a/covered"] });
  queue.add({ keys: ["x", "y"] });
  assert.equal(queue.isEmpty, false);
  assert.deepEqual(queue.take(), { prefix: "a/", keys: ["x", "y"] });
  assert.equal(queue.isEmpty, false);
  assert.deepEqual(queue.take(), { prefix: "b/" });
  assert.equal(queue.isEmpty, true);
  queue.add({ keys: ["z"] });
  assert.deepEqual(queue.take(), { keys: ["z"] });
});

test("a prefix takes the place of what it covers", () => {
  const queue = new PartQueue();
  queue.add({ prefix: "logs/today/" });
  queue.add({ prefix: "images/" });
  queue.add({ keys: ["logs/1", "other"] });
  queue.add({ prefix: "logs/" });
  queue.add({ prefix: "logs/yesterday/" });
  assert.deepEqual(queue.take(), { prefix: "images/", keys: ["other"] });
  assert.deepEqual(queue.take(), { prefix: "logs/" });
  assert.equal(queue.isEmpty, true);
});

test("1,000 keys and 16 prefixes can wait; with more, everything is polled, until that was begun", () => {
  const prefixes = Array.from({ length: 16 }, (_, i) => `${i}/`);
  const queue = new PartQueue();
  queue.add({ keys: keysOf(1_000) });
  for (const prefix of prefixes) queue.add({ prefix });
  assert.equal(queue.take()?.keys?.length, 1_000);
  for (const more of [{ prefix: "16/" }, { keys: keysOf(1_001) }]) {
    queue.clear();
    assert.equal(queue.isEmpty, true);
    for (const prefix of prefixes) queue.add({ prefix });
    queue.add(more);
    assert.equal(queue.take(), undefined);
    assert.equal(queue.isEmpty, false, "it is still to be polled");
    queue.add({ keys: ["one more"] });
    assert.equal(queue.take(), undefined);
  }
  queue.clear();
  queue.add({ keys: ["x"] });
  assert.deepEqual(queue.take(), { keys: ["x"] });
});
