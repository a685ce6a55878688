/** Stores that break one rule each, and the tests that must tell. */
import type { StoreFixture } from "@koprs/external/testing";
import { brokenContents } from "./_broken_contents.ts";
import { brokenListings } from "./_broken_listings.ts";
import type { Broken } from "./_faulty_store.ts";

export const brokenStores: readonly Broken<StoreFixture>[] = [...brokenListings, ...brokenContents];
