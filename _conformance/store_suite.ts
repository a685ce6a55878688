/** All rules for stores, as tests: most get an empty store of their own, those of listings share a full one. */
import { after, test } from "node:test";
import type { StoreFixture } from "./fixtures.ts";
import { TEST_TIMEOUT } from "./harness.ts";
import { CONTENT_RULES } from "./store_content.ts";
import { KEY_RULES } from "./store_keys.ts";
import { LISTING_RULES } from "./store_listing.ts";
import { OBJECT_RULES } from "./store_objects.ts";
import { SIGNAL_RULES } from "./store_signals.ts";
import { filled, type StoreRule } from "./store_fixture.ts";

const RULES: readonly StoreRule[] = [
  ...OBJECT_RULES,
  ...KEY_RULES,
  ...CONTENT_RULES,
  ...SIGNAL_RULES,
];

export function registerStore(setUp: () => Promise<StoreFixture>): void {
  for (const [name, check] of RULES) {
    test(name, { timeout: TEST_TIMEOUT }, async (t) => {
      const fixture = await setUp();
      try {
        await check(fixture, t);
      } finally {
        await fixture.close();
      }
    });
  }
  let full: Promise<StoreFixture> | undefined;
  for (const [name, check] of LISTING_RULES) {
    test(name, { timeout: TEST_TIMEOUT }, async (t) => check(await (full ??= filled(setUp)), t));
  }
  after(async () => {
    // If it could not be made, the tests have failed already.
    await (await full?.catch(() => undefined))?.close();
  });
}
