import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { Due } from "../../_watch/due.ts";
import { START } from "./_watch.ts";

test("a moment comes after its wait in whole milliseconds, and no later if the clock is set back", () => {
  mock.timers.enable({ apis: ["Date"], now: START });
  try {
    const due = new Due(100.7);
    assert.deepEqual([due.wait, due.at, due.left], [100, START + 100, 100]);
    mock.timers.setTime(START + 40);
    assert.equal(due.left, 60);
    mock.timers.setTime(START - 5_000);
    assert.equal(due.left, 100);
    mock.timers.setTime(START + 100);
    assert.equal(due.left, 0);
    mock.timers.setTime(START + 5_000);
    assert.equal(due.left, 0);
    const soon = new Due(0.25);
    assert.deepEqual([soon.wait, soon.left], [0.25, 0.25], "not at once");
  } finally {
    mock.timers.reset();
  }
});
