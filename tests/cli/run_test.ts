// The program as another program calls it.
import assert from "node:assert/strict";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { run } from "../../_cli/run.ts";
import { temporaryFolder } from "./_program.ts";

test("its end leaves the signals to its caller", { timeout: 30_000 }, async (t) => {
  const missing = join(await temporaryFolder(t), "missing");
  const listeners = () => ["SIGINT", "SIGTERM"].map((name) => process.listenerCount(name));
  const before = listeners();
  // It fails, so that nothing goes to standard output.
  assert.equal(await run([missing, "--once"]), 1);
  assert.deepEqual(listeners(), before);
});
