/** What a checkpoint store keeps: the exact bytes, each under its own key. */
import assert from "node:assert/strict";
import type { CheckpointStore } from "../_state/checkpoint_store.ts";
import type { CheckpointFixture } from "./fixtures.ts";
import { bytesOf, forEach, type Rule, show } from "./harness.ts";

export type CheckpointRule = Rule<CheckpointFixture>;

/** Keys that are easily confused, and keys that a path, a URL or a label cannot hold as they are. */
const KEYS = [
  ...["a", "A", "a/b", "a\\b", "../a", "a.b", "a_b", "a b", " a", "-a", ".a", "__proto__"],
  ...["https://example.com/list?page=1&x=%2F", "https://example.com/list?page=1&x=/"],
  ...["\u00e9", "e\u0301", "\u{1f600}", "\ud83d", "\ude00", "a\nb", "a\0b", '"a"', "<&>"],
  ...["x".repeat(300), "x".repeat(301)],
];
/** So many keys are listed that they may take several pages. */
const MANY = 120;

/** The state of a key as text, as another store object sees it. */
export async function stateOf(
  fixture: CheckpointFixture,
  key: string,
): Promise<string | undefined> {
  return textOf(await (fixture.peek?.(key) ?? (await fixture.other()).load(key)));
}

export function textOf(state: Uint8Array | undefined): string | undefined {
  return state && new TextDecoder().decode(state);
}

export async function listed(store: CheckpointStore): Promise<string[]> {
  return store.list === undefined ? [] : (await Array.fromAsync(store.list())).sort();
}

export const STATE_RULES: readonly CheckpointRule[] = [
  ["what was never saved is undefined", async ({ store }) => {
    assert.equal(await store.load("a"), undefined);
    await store.save("b", bytesOf("b"));
    assert.equal(await store.load("a"), undefined);
  }],

  ["a state is loaded as it was saved", async (fixture) => {
    const { store } = fixture;
    const states = [
      Uint8Array.from({ length: 70_000 }, (_, i) => i * 7 + (i >> 8)),
      Uint8Array.from({ length: 256 }, (_, i) => i),
      bytesOf("\n"),
      new Uint8Array(),
    ];
    for (const state of states) {
      // A view in the middle of other bytes, which must not be saved.
      const view = new Uint8Array(state.length + 20).subarray(10, 10 + state.length);
      view.set(state);
      await store.save("a", view);
      view.fill(1);
      for (const reader of [store, await fixture.other()]) {
        const loaded = await reader.load("a");
        assert.deepEqual(Uint8Array.from(loaded ?? [0]), state, `of ${state.length} bytes`);
        loaded?.fill(2);
      }
      assert.deepEqual(Uint8Array.from(await store.load("a") ?? [0]), state, "it was given away");
    }
  }],

  ["keys are exact", async (fixture) => {
    const { store } = fixture;
    await forEach(KEYS, (key) => store.save(key, bytesOf(`state of ${show(key)}`)));
    await forEach(KEYS, async (key) => {
      assert.equal(await stateOf(fixture, key), `state of ${show(key)}`);
    });
  }],

  ["delete forgets one state, and no other", async (fixture, t) => {
    const { store } = fixture;
    if (store.delete === undefined) return t.skip("the store has no 'delete'");
    await store.delete("a");
    for (const key of ["a", "b"]) await store.save(key, bytesOf(key));
    await store.delete("a");
    assert.equal(await store.load("a"), undefined);
    assert.equal(await stateOf(fixture, "a"), undefined);
    assert.equal(await stateOf(fixture, "b"), "b");
    await store.delete("a");
    await store.load("a");
    await store.save("a", bytesOf("anew"));
    assert.equal(await stateOf(fixture, "a"), "anew");
    // A store object that never had the key may delete it, too, such as one of a program that cleans up.
    await (await fixture.other()).delete?.("b");
    assert.equal(await stateOf(fixture, "b"), undefined);
  }],

  ["list names the keys that have a state", async (fixture, t) => {
    const { store } = fixture;
    if (store.list === undefined) return t.skip("the store has no 'list'");
    assert.deepEqual(await listed(store), []);
    const keys = [...KEYS, ...Array.from({ length: MANY }, (_, i) => `many/${i}`)];
    await forEach(keys, (key) => store.save(key, bytesOf(key)));
    await store.load("only looked for");
    await store.claim?.("only claimed");
    const gone = keys.splice(3, 1)[0] ?? "";
    if (store.delete === undefined) keys.push(gone);
    else await store.delete(gone);
    assert.deepEqual(await listed(store), keys.sort());
    assert.deepEqual(await listed(await fixture.other()), keys);
    // The listing has taken the key from nobody.
    await store.save("a", bytesOf("anew"));
  }],
];
