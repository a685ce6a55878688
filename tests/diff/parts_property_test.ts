// Parts and whole polls in any mix, notifications that are lost, late, doubled or false, crashes: replay equals reality
// behind the next sweep, and no part touches what lies outside of it.
import fc from "fast-check";
import { test } from "node:test";
import { checkParts, histories } from "./_part_history.ts";

test("parts and sweeps in any mix lead to what there is", { timeout: 100_000 }, async () => {
  await fc.assert(fc.asyncProperty(histories, checkParts), { numRuns: 2_000 });
});
