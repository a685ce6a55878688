// Callbacks of users, and a clock that never goes back.
import assert from "node:assert/strict";
import { test } from "node:test";
import { callBack, isPromiseLike } from "../../_bounds/user_callback.ts";
import { steadyClock } from "../../_bounds/steady_clock.ts";

test("what has a 'then' is a promise", () => {
  assert.ok(isPromiseLike(Promise.resolve()));
  assert.ok(isPromiseLike({ then() {} }));
  for (const value of [undefined, null, 0, "then", {}, { then: 1 }]) {
    assert.ok(!isPromiseLike(value));
  }
});

test("what a callback throws, or rejects with, is told; what it returns is not", async () => {
  const thrown: unknown[] = [];
  const tell = (error: unknown) => void thrown.push(error);
  callBack(() => 7, tell);
  callBack(() => Promise.resolve(7), tell);
  callBack(() => {
    throw "thrown";
  }, tell);
  assert.deepEqual(thrown, ["thrown"]);
  callBack(() => Promise.reject("rejected"), tell);
  await Promise.resolve();
  assert.deepEqual(thrown, ["thrown", "rejected"]);
});

test("a clock that is set back stands still, and then goes on", (t) => {
  let wall = 1_000_000;
  t.mock.method(Date, "now", () => wall);
  const now = steadyClock();
  const at = (time: number) => {
    wall = time;
    return now();
  };
  assert.deepEqual([1_000_000, 1_000_010, 500_000, 500_007, 400_000, 400_001].map(at), [
    1_000_000,
    1_000_010,
    1_000_010,
    1_000_017,
    1_000_017,
    1_000_018,
  ]);
  assert.equal(at(2_000_000), 2_600_017);
});
