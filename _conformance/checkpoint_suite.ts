/** All rules for checkpoint stores, as tests. Each gets an empty store of its own. */
import { test } from "node:test";
import { CLAIM_RULES } from "./checkpoint_claims.ts";
import { STATE_RULES } from "./checkpoint_states.ts";
import type { CheckpointFixture } from "./fixtures.ts";
import { TEST_TIMEOUT } from "./harness.ts";

export function registerCheckpointStore(setUp: () => Promise<CheckpointFixture>): void {
  for (const [name, check] of [...STATE_RULES, ...CLAIM_RULES]) {
    test(name, { timeout: TEST_TIMEOUT }, async (t) => {
      const fixture = await setUp();
      try {
        await check(fixture, t);
      } finally {
        await fixture.close?.();
      }
    });
  }
}
