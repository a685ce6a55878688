// Two writers of one checkpoint in a bucket, for FUZZ_SECONDS: see tests/state/_two_writers.ts.
import process from "node:process";
import { test } from "node:test";
import fc from "fast-check";
import { twoWriters } from "../state/_two_writers.ts";

const seconds = Number(process.env.FUZZ_SECONDS ?? 5);

test("two writers overwrite nothing that they have not seen", async () => {
  await fc.assert(twoWriters(200), { numRuns: Infinity, interruptAfterTimeLimit: seconds * 1000 });
});
