/** The rules of an object: its key, and the events when it is added, changed and removed. */
import assert from "node:assert/strict";
import { compareKeys } from "../_bytes/order.ts";
import type { ObjectMeta } from "../_diff/object_meta.ts";
import { ObjectStorePoller } from "../_listing/object_store_poller.ts";
import {
  bytesOf,
  checkName,
  poll,
  pollPart,
  randomNumbers,
  rejectionOf,
  rejectsAsStore,
  replay,
  shortOf,
} from "./harness.ts";
import { accepted, fill, find, keyOf, list, pollerOf, type StoreRule } from "./store_fixture.ts";

const DAY = 86_400_000;

export const OBJECT_RULES: readonly StoreRule[] = [
  ["the name is a non-empty string without user info", async ({ store }) => {
    checkName(store.name);
    if (store.identity !== undefined) checkName(await store.identity());
  }],

  ["an empty store lists nothing", async (fixture) => {
    assert.deepEqual(await list(fixture), []);
    assert.deepEqual(await list(fixture, { prefix: "a" }), []);
    assert.deepEqual(await poll(pollerOf(fixture)), []);
  }],

  ["an object is listed with its key, size and time", async (fixture) => {
    await fixture.put("folder/a.txt", bytesOf("é: 5 B"));
    const objects = await list(fixture);
    assert.deepEqual(objects.map(({ key, size }) => ({ key, size })), [
      { key: "folder/a.txt", size: 7 },
    ]);
    for (const { etag, lastModified } of objects) {
      assert.ok(etag === undefined || (typeof etag === "string" && etag !== ""), "etag");
      const age = lastModified === undefined ? 0 : Date.now() - lastModified;
      assert.ok(Math.abs(age) < DAY, `lastModified must be ms since the epoch: ${lastModified}`);
    }
  }],

  ["what is put is added, and after that no event", async (fixture) => {
    const poller = pollerOf(fixture);
    await fill(fixture, ["b", "a"]);
    const expected = (await list(fixture)).sort((a, b) => compareKeys(a.key, b.key));
    assert.deepEqual(await poll(poller), expected.map((item) => ({ type: "added", item })));
    assert.deepEqual(await poll(poller), []);
  }],

  ["a rewrite of the same size is modified and carries the previous state", async (fixture) => {
    const poller = pollerOf(fixture);
    await fill(fixture, ["a", "b"], "old");
    const before = await find(fixture, "a");
    await poll(poller);
    await fill(fixture, ["a"], "new");
    const item = await find(fixture, "a");
    assert.deepEqual(await poll(poller), [{ type: "modified", item, previous: before }]);
    assert.deepEqual(await poll(poller), []);
  }],

  ["what is deleted is removed and carries its last state", async (fixture) => {
    const poller = pollerOf(fixture);
    await fill(fixture, ["a", "b"]);
    const item = await find(fixture, "a");
    await poll(poller);
    await fixture.delete("a");
    assert.deepEqual(await poll(poller), [{ type: "removed", item }]);
    assert.deepEqual(await poll(poller), []);
  }],

  ["the same content written again is no event", async (fixture, t) => {
    if (fixture.sameContentIsNoChange !== true) return t.skip("not 'sameContentIsNoChange'");
    const poller = pollerOf(fixture);
    await fill(fixture, ["a"], "same");
    await poll(poller);
    await fill(fixture, ["a"], "same");
    assert.deepEqual(await poll(poller), []);
  }],

  ["a vanished root fails the poll and removes nothing", async (fixture, t) => {
    if (fixture.vanish === undefined) return t.skip("the fixture has no 'vanish'");
    const poller = pollerOf(fixture);
    await fill(fixture, ["a", "b"]);
    await poll(poller);
    await fixture.vanish();
    await rejectsAsStore(poll(poller), "a poll of what has vanished");
    await rejectsAsStore(poll(pollerOf(fixture, { prefix: "a" })), "the same under a prefix");
    await rejectionOf(list(fixture), "a listing of what has vanished");
  }],

  ["two pollers on one store each see every change", async (fixture) => {
    const pollers = [pollerOf(fixture), pollerOf(fixture, { filter: () => true })];
    await fill(fixture, ["a", "b"]);
    const [first, second] = await Promise.all(pollers.map(poll));
    assert.deepEqual(shortOf(first ?? [], keyOf), ["added a", "added b"]);
    assert.deepEqual(second, first);
    await fixture.delete("a");
    for (const poller of pollers) {
      assert.deepEqual(shortOf(await poll(poller), keyOf), ["removed a"]);
    }
  }],

  ["state saved by one poller goes on in another", async (fixture) => {
    const poller = pollerOf(fixture);
    await fill(fixture, ["a", "b", "c"], "old");
    await poll(poller);
    const [a, b] = [await find(fixture, "a"), await find(fixture, "b")];
    const store = fixture.otherStore ?? fixture.store;
    assert.equal(store.name, fixture.store.name, "the name must survive a restart");
    const identities = [await store.identity?.(), await fixture.store.identity?.()];
    assert.equal(identities[0], identities[1], "the identity must survive a restart");
    const restart = () => {
      const restarted = new ObjectStorePoller(store);
      restarted.restore(poller.save());
      return restarted;
    };
    assert.deepEqual(await poll(restart()), [], "nothing changed meanwhile");
    await fill(fixture, ["a", "d"], "new");
    await fixture.delete("b");
    assert.deepEqual(await poll(restart()), [
      { type: "modified", item: await find(fixture, "a"), previous: a },
      { type: "removed", item: b },
      { type: "added", item: await find(fixture, "d") },
    ]);
  }],

  ["replay equals reality over a random history", async (fixture, t) => {
    const wanted = ["h/1", "h/2", "h/3", "h/a b", "h/a+b", "h/%2F", "h/é", "h/deep/er/1", "i", "j"];
    const keys = accepted(fixture, wanted, t);
    // With this seed one delivery that is left early has given all its events.
    const random = randomNumbers(5);
    const pick = <I>(items: readonly I[]): I => items[Math.floor(random() * items.length)] as I;
    const poller = pollerOf(fixture);
    const reality = new Map<string, string>();
    const known = new Map<string, ObjectMeta>();
    for (let round = 0; round < 12; round++) {
      for (let changes = Math.floor(random() * 5); changes > 0; changes--) {
        const key = pick(keys);
        if (reality.has(key) && random() < 0.4) {
          await fixture.delete(key);
          reality.delete(key);
        } else {
          const body = `${round}${"x".repeat(random() * 5)}${changes}`;
          await fixture.put(key, bytesOf(body));
          reality.set(key, body);
        }
      }
      const inPart = random() < 0.3;
      // The part that was read may have been everything, and then it is committed.
      const part = inPart ? await pollPart(poller, Math.floor(random() * 3)) : [];
      if (random() < 0.7 || inPart) replay(known, [...part, ...await poll(poller)], keyOf, inPart);
    }
    replay(known, await poll(poller), keyOf, false);
    const listed = (await list(fixture)).map((object) => [object.key, object] as const);
    assert.deepEqual(known, new Map(listed));
    assert.deepEqual([...known.keys()].sort(), [...reality.keys()].sort());
    for (const [key, body] of reality) {
      assert.equal(await new Response(await fixture.store.get(key)).text(), body, key);
    }
  }],
];
