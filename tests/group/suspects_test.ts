import assert from "node:assert/strict";
import { test } from "node:test";
import { isSuspectAfter, pollsForSuspects } from "../../_group/suspects.ts";

test("a source is a suspect after a poll that failed, or that took more than a second", () => {
  assert.deepEqual([0, 1_000, 1_001].map((ms) => isSuspectAfter(ms, false)), [false, false, true]);
  assert.deepEqual([0, 1_001].map((ms) => isSuspectAfter(ms, true)), [true, true]);
});

test("suspects get half of the polls, rounded up: never none", () => {
  assert.deepEqual([1, 2, 5, 64].map(pollsForSuspects), [1, 1, 3, 32]);
});
