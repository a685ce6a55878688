// Histories with crashes, as in tests/diff/store_property_test.ts, longer, and for as long as FUZZ_SECONDS says.
import fc from "fast-check";
import process from "node:process";
import { test } from "node:test";
import { cases, check } from "../diff/_store_history.ts";

const time = Number(process.env.FUZZ_SECONDS ?? 2) * 1_000;
const budget = { numRuns: Infinity, interruptAfterTimeLimit: time, markInterruptAsFailure: false };

for (const etags of [true, false]) {
  test(`crashes of a poller, ${etags ? "with" : "without"} ETags`, async () => {
    await fc.assert(fc.asyncProperty(cases(etags, 20), check), budget);
  });
}
