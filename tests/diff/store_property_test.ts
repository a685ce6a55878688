// Replay equals the last complete listing, whatever happens to a store and to the consumer of its events.
import fc from "fast-check";
import { test } from "node:test";
import { cases, check } from "./_store_history.ts";

for (const etags of [true, false]) {
  const name = `replay equals the last complete listing, ${etags ? "with" : "without"} ETags`;
  test(name, { timeout: 100_000 }, async () => {
    await fc.assert(fc.asyncProperty(cases(etags), check), { numRuns: 1_500 });
  });
}
