/** What the rules for stores share. */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { compareKeys } from "../_bytes/order.ts";
import type { ObjectMeta } from "../_diff/object_meta.ts";
import type { ListOptions } from "../_listing/object_store.ts";
import {
  ObjectStorePoller,
  type ObjectStorePollerOptions,
} from "../_listing/object_store_poller.ts";
import type { StoreFixture } from "./fixtures.ts";
import { bytesOf, forEach, type Rule, show } from "./harness.ts";

/** The page size that is assumed for a store without pages: it gets two pages of objects and one more. */
const DEFAULT_PAGE = 100;

export type StoreRule = Rule<StoreFixture>;

/** A full store: several pages, several folders, and keys whose order is easy to get wrong. */
export async function filled(setUp: () => Promise<StoreFixture>): Promise<StoreFixture> {
  const fixture = await setUp();
  await fill(fixture, fullKeys(fixture));
  return fixture;
}

export function fullKeys(fixture: StoreFixture): string[] {
  const count = 2 * (fixture.pageSize ?? DEFAULT_PAGE) + 1;
  const many = Array.from({ length: count }, (_, i) => `many/${i % 5}/${i}`);
  const order = ["many-", "many.x", "o/\uff5e", "o/\u{1f600}", "o/é", "o/z", "o/Z", "o/a-", "o/a0"];
  return accepted(fixture, [...many, ...order]);
}

export function pollerOf(
  { store }: StoreFixture,
  options?: ObjectStorePollerOptions,
): ObjectStorePoller {
  return new ObjectStorePoller(store, options);
}

export async function list({ store }: StoreFixture, options?: ListOptions): Promise<ObjectMeta[]> {
  return (await Array.fromAsync(store.list(options))).flat();
}

export async function find(fixture: StoreFixture, key: string): Promise<ObjectMeta> {
  const object = (await list(fixture)).find((object) => object.key === key);
  assert.ok(object !== undefined, `the listing lacks ${show(key)}`);
  return object;
}

export async function fill(
  fixture: StoreFixture,
  keys: Iterable<string>,
  body?: string,
): Promise<void> {
  await forEach(keys, (key) => fixture.put(key, bytesOf(body ?? key)));
}

export function accepted(
  fixture: StoreFixture,
  keys: readonly string[],
  t?: TestContext,
): string[] {
  const { accepts } = fixture;
  if (accepts === undefined) return [...keys];
  const left = keys.filter((key) => !fixture.accepts?.(key));
  if (left.length > 0) t?.diagnostic(`not tested, as the backend cannot hold: ${left.map(show)}`);
  return keys.filter((key) => !left.includes(key));
}

export function keyOf(object: ObjectMeta): string {
  return object.key;
}

/** Each key once: a store may list one twice. */
export function sortedKeys(objects: Iterable<ObjectMeta>): string[] {
  return [...new Set(Array.from(objects, keyOf))].sort(compareKeys);
}

export async function read(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

export function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
