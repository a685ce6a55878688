/** What a checkpoint store promises to whoever claims a key: nobody else can change its state. */
import assert from "node:assert/strict";
import { ExternalError } from "../_errors/external_error.ts";
import type { CheckpointStore } from "../_state/checkpoint_store.ts";
import { type CheckpointRule, stateOf, textOf } from "./checkpoint_states.ts";
import type { CheckpointFixture } from "./fixtures.ts";
import { bytesOf, randomNumbers } from "./harness.ts";

type Claiming = CheckpointStore & Required<Pick<CheckpointStore, "claim">>;
type Check = (a: Claiming, b: Claiming, fixture: CheckpointFixture) => Promise<void>;

/** A rule of two store objects; skipped where the store has no `claim`. */
function rule(name: string, check: Check): CheckpointRule {
  return [name, async (fixture, t) => {
    const [a, b] = [fixture.store, await fixture.other()];
    if (!canClaim(a) || !canClaim(b)) return t.skip("the store has no 'claim'");
    await check(a, b, fixture);
  }];
}

function canClaim(store: CheckpointStore): store is Claiming {
  return store.claim !== undefined;
}

async function isLost(promise: Promise<unknown>, doing: string): Promise<void> {
  const thrown = await promise.then(() => undefined, (error) => error ?? "nothing");
  assert.ok(thrown !== undefined, `${doing} must reject`);
  assert.ok(
    thrown instanceof ExternalError && thrown.code === "checkpoint",
    `${doing} must reject with code 'checkpoint': ${thrown}`,
  );
}

export const CLAIM_RULES: readonly CheckpointRule[] = [
  rule("a claim gives the state, and stops whoever had the key", async (a, b, fixture) => {
    await a.save("a", bytesOf("1"));
    await a.save("b", bytesOf("of b"));
    assert.equal(textOf(await b.claim("a")), "1");
    for (let i = 0; i < 2; i++) await isLost(a.save("a", bytesOf("late")), "a save behind a claim");
    assert.equal(await stateOf(fixture, "a"), "1");
    await b.save("a", bytesOf("2"));
    assert.equal(await stateOf(fixture, "a"), "2");
    await a.save("b", bytesOf("still of a"));
    assert.equal(await stateOf(fixture, "b"), "still of a");
  }),

  rule("a claim of what has no state stops whoever looked before", async (a, b, fixture) => {
    assert.equal(await a.load("a"), undefined);
    assert.equal(await b.claim("a"), undefined);
    await isLost(a.save("a", bytesOf("late")), "a save behind a claim");
    assert.equal(await stateOf(fixture, "a"), undefined);
    assert.equal(await a.claim("a"), undefined);
    await isLost(b.save("a", bytesOf("late")), "a save behind another claim");
    await a.save("a", bytesOf("1"));
    assert.equal(await stateOf(fixture, "a"), "1");
  }),

  rule("a claim may be repeated, and a key goes back and forth", async (a, b, fixture) => {
    let state: string | undefined;
    for (let round = 1; round <= 3; round++) {
      for (const [winner, loser] of [[a, b], [b, a]] as const) {
        for (let i = 0; i < round; i++) assert.equal(textOf(await winner.claim("a")), state);
        for (let i = 0; i < 2; i++) {
          state = `${round} ${i} ${winner === a}`;
          await winner.save("a", bytesOf(state));
        }
        if (round > 1 || loser === a) {
          await isLost(loser.save("a", bytesOf("late")), "a save behind a claim");
        }
        assert.equal(await stateOf(fixture, "a"), state);
      }
    }
  }),

  rule("of claims that cross one holds", async (a, b, fixture) => {
    await a.save("a", bytesOf("0"));
    const stores = [a, b, await fixture.other()] as Claiming[];
    for (let round = 1; round <= 5; round++) {
      const before = await stateOf(fixture, "a");
      for (const state of await Promise.all(stores.map((store) => store.claim("a")))) {
        assert.equal(textOf(state), before);
      }
      const saves = await Promise.allSettled(
        stores.map((store, i) => store.save("a", bytesOf(`${round} ${i}`))),
      );
      const held = saves.flatMap(({ status }, i) =>
        status === "fulfilled" ? [`${round} ${i}`] : []
      );
      assert.equal(held.length, 1, `${held.length} of them could save`);
      assert.equal(await stateOf(fixture, "a"), held[0]);
    }
  }),

  rule("a save that crosses a claim is in its state, or refused", async (a, b, fixture) => {
    for (let round = 1; round <= 10; round++) {
      const before = textOf(await a.claim("a"));
      const [saved, claimed] = await Promise.allSettled([
        a.save("a", bytesOf(`${round}`)),
        b.claim("a"),
      ]);
      if (claimed.status === "rejected") throw claimed.reason;
      if (saved.status === "rejected") await isLost(Promise.reject(saved.reason), "the save");
      const expected = saved.status === "fulfilled" ? `${round}` : before;
      assert.equal(textOf(claimed.value), expected, "what the claim gave");
      assert.equal(await stateOf(fixture, "a"), expected, "what is there");
    }
  }),

  rule("delete stops whoever had the key before", async (a, b, fixture) => {
    if (b.delete === undefined) return;
    await a.save("a", bytesOf("1"));
    await b.claim("a");
    await b.delete("a");
    await isLost(a.save("a", bytesOf("late")), "a save behind a delete");
    assert.equal(await stateOf(fixture, "a"), undefined);
  }),

  rule("whoever has lost a key cannot delete it", async (a, b, fixture) => {
    if (a.delete === undefined) return;
    await a.save("a", bytesOf("1"));
    await b.claim("a");
    await isLost(a.delete("a"), "a delete behind a claim");
    assert.equal(await stateOf(fixture, "a"), "1");
    await b.save("a", bytesOf("2"));
  }),

  rule("only the last one that claimed changes anything, over a random history", randomHistory),
];

async function randomHistory(a: Claiming, b: Claiming, fixture: CheckpointFixture): Promise<void> {
  const random = randomNumbers(12);
  const stores = [a, b, await fixture.other() as Claiming];
  /** The store objects that have claimed the key, and not deleted it since. */
  const claimed = new Set<Claiming>();
  let holder: Claiming | undefined;
  let state: string | undefined;
  for (let step = 0; step < 150; step++) {
    const store = stores[Math.floor(random() * stores.length)] ?? a;
    const dice = random();
    if (dice < 0.3 || !claimed.has(store)) {
      assert.equal(textOf(await store.claim("a")), state, `step ${step}`);
      claimed.add(store);
      holder = store;
    } else if (dice < 0.9 || store.delete === undefined) {
      const save = store.save("a", bytesOf(`${step}`));
      if (holder !== store) await isLost(save, "a save behind a claim");
      else {
        await save;
        state = `${step}`;
      }
    } else if (holder === store) {
      await store.delete("a");
      claimed.delete(store);
      holder = state = undefined;
    } else if (holder !== undefined) await isLost(store.delete("a"), "a delete behind a claim");
    assert.equal(await stateOf(fixture, "a"), state, `step ${step}`);
  }
}
