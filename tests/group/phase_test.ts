import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { Phases, shareTowards, waitFor } from "../../_group/phase.ts";

test("phases begin anywhere, are shares, and each is far from those before", () => {
  const random = mock.method(Math, "random", () => 0.9);
  const phases = new Phases();
  random.mock.restore();
  const given = Array.from({ length: 100 }, () => phases.next());
  assert.deepEqual(given.slice(0, 2), [0.9, 0.9 + (Math.sqrt(5) - 1) / 2 - 1]);
  const sorted = given.toSorted((a, b) => a - b);
  assert.ok(sorted[0]! >= 0 && sorted.at(-1)! < 1);
  for (let i = 1; i < sorted.length; i++) assert.ok(sorted[i]! - sorted[i - 1]! > 0.003);
});

test("the jitter leads a source to its phase, or as near to it as it can", () => {
  // Every 1,000 to 1,100 ms; the phases are those of a period of 1,050 ms.
  const share = (now: number, phase = 0) => shareTowards(phase, now, 1_000, 0.1);
  assert.equal(share(50), 0, "the earliest time is at its phase");
  assert.equal(share(0), 0.5, "its phase is 50 ms later");
  assert.equal(share(525, 0.5), 0.5);
  assert.equal(share(-50), 1, "the latest time is at its phase");
  assert.equal(share(-51), 1, "the latest time is nearer to its phase than the earliest");
  assert.equal(share(-475), 1, "both are as far away");
  assert.equal(share(-476), 0, "the earliest time is nearer");
  assert.equal(shareTowards(0.3, 0, 1_000, 0), 0, "without jitter there is nothing to lead with");
});

test("a first poll is at its phase, within the interval", () => {
  const wait = (phase: number, now: number) => waitFor(phase, now, 1_000, 0.1);
  assert.equal(wait(0, 0), 0);
  assert.equal(wait(0.5, 0), 500);
  assert.equal(wait(0.5, 525), 0);
  assert.equal(Math.round(wait(0, 1)), 999);
  assert.equal(Math.round(wait(0, 1_050 * 7 + 1)), 999);
  assert.equal(waitFor(0.25, 0, 1_000, 0), 250);
});
