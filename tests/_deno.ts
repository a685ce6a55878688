// Preloaded before each test file on Deno (--preload), where two things pass unseen:
// - a file that throws at its top level after its first `test` is reported as good, its later tests as absent;
// - a test that calls `t.skip` is reported as passed.
import { test, type TestContext } from "node:test";

const file = new URL(Deno.mainModule).pathname.split("/").at(-1);

test(`${file} loads to its end`, async (t) => {
  const context: TestContext = Object.getPrototypeOf(t);
  const skip = context.skip;
  context.skip = function (this: TestContext, reason?: string): void {
    // tests/npm/junit.ts counts these lines.
    console.log(`# SKIP ${this.name}: ${reason ?? "no reason given"}`);
    skip.call(this, reason);
  };
  await import(Deno.mainModule);
});
