// Histories of snapshots, as in tests/diff/changes_test.ts, for as long as FUZZ_SECONDS says.
import fc from "fast-check";
import process from "node:process";
import { test } from "node:test";
import { largeHistories, smallHistories } from "../diff/_snapshot_history.ts";

const time = Number(process.env.FUZZ_SECONDS ?? 2) * 1_000;
const budget = { numRuns: Infinity, interruptAfterTimeLimit: time, markInterruptAsFailure: false };

test("histories of small snapshots", () => {
  fc.assert(smallHistories, budget);
});

test("histories of large snapshots", () => {
  fc.assert(largeHistories, budget);
});
