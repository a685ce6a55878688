/** The rules for sources. Each gets a source of its own. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  checkName,
  CountedSignal,
  poll,
  pollPart,
  promptly,
  randomNumbers,
  rejectionOf,
  replay,
  type Rule,
  shortOf,
  TEST_TIMEOUT,
} from "./harness.ts";
import type { SourceFixture } from "./fixtures.ts";
import type { ExternalSource } from "../_diff/source.ts";

export function registerSource<T>(setUp: () => Promise<SourceFixture<T>>): void {
  for (const [name, check] of rules<T>()) {
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

/** A source that can be saved and restored. */
type Saved<T> = ExternalSource<T> & Required<Pick<ExternalSource<T>, "save" | "restore">>;

const rules = <T>(): readonly Rule<SourceFixture<T>>[] => [
  ["the name is a non-empty string without user info", (fixture) => {
    checkName(fixture.source.name);
    return Promise.resolve();
  }],

  ["nothing there is no event", async (fixture) => {
    assert.deepEqual(await poll(fixture.source), []);
    await addAll(fixture);
    assert.deepEqual(await changesOf(fixture), eachOf("added", fixture));
  }],

  ["the first poll adds everything, the next nothing", async (fixture) => {
    await addAll(fixture);
    assert.deepEqual(await changesOf(fixture), eachOf("added", fixture));
    assert.deepEqual(await poll(fixture.source), []);
    assert.deepEqual(await poll(fixture.source), []);
  }],

  ["what changed is modified, once", async (fixture) => {
    const key = await addAll(fixture);
    await poll(fixture.source);
    await fixture.modify(key);
    assert.deepEqual(await changesOf(fixture), [`modified ${key}`]);
    assert.deepEqual(await poll(fixture.source), []);
  }],

  ["what is gone is removed, once, and added if it comes back", async (fixture) => {
    const key = await addAll(fixture);
    await poll(fixture.source);
    await fixture.remove(key);
    assert.deepEqual(await changesOf(fixture), [`removed ${key}`]);
    assert.deepEqual(await poll(fixture.source), []);
    await fixture.add(key);
    assert.deepEqual(await changesOf(fixture), [`added ${key}`]);
  }],

  ["a poll whose events were not read is forgotten", async (fixture) => {
    const key = await addAll(fixture);
    await pollPart(fixture.source, 0);
    assert.deepEqual(await changesOf(fixture), eachOf("added", fixture));
    await fixture.modify(key);
    await pollPart(fixture.source, 0);
    assert.deepEqual(await changesOf(fixture), [`modified ${key}`]);
    await fixture.remove(key);
    await pollPart(fixture.source, 0);
    assert.deepEqual(await changesOf(fixture), [`removed ${key}`]);
  }],

  ["a poll whose events were read in part is forgotten", async (fixture) => {
    await addAll(fixture);
    for (let count = 1; count <= keysOf(fixture).length; count++) {
      assert.equal((await pollPart(fixture.source, count)).length, count);
    }
    assert.deepEqual(await changesOf(fixture), eachOf("added", fixture));
    assert.deepEqual(await poll(fixture.source), []);
  }],

  ["a failed poll forgets nothing", async (fixture, t) => {
    if (fixture.fail === undefined) return t.skip("the fixture has no 'fail'");
    const key = await addAll(fixture);
    await poll(fixture.source);
    await fixture.fail();
    await rejectionOf(poll(fixture.source), "a poll that fails");
    assert.deepEqual(await poll(fixture.source), [], "after a failure, without a change");
    await fixture.remove(key);
    await fixture.fail();
    await rejectionOf(poll(fixture.source), "a poll that fails");
    assert.deepEqual(await changesOf(fixture), [`removed ${key}`]);
  }],

  ["a poll with an aborted signal rejects", async (fixture) => {
    await addAll(fixture);
    const signal = AbortSignal.abort(new Error("enough"));
    await rejectionOf(
      promise(() => fixture.source.poll({ signal })),
      "poll with an aborted signal",
    );
    assert.deepEqual(await changesOf(fixture), eachOf("added", fixture));
  }],

  ["an abort during a poll ends it and loses nothing", async (fixture) => {
    await addAll(fixture);
    const controller = new AbortController();
    const polling = fixture.source.poll({ signal: controller.signal });
    controller.abort(new Error("enough"));
    // A source that has all it needs may be done before it looks at its signal.
    await promptly(polling.then(() => {}, () => {}), "an aborted poll");
    assert.deepEqual(await changesOf(fixture), eachOf("added", fixture));
  }],

  ["nothing leaves a listener on its signal", async (fixture, t) => {
    if (fixture.leavesSignals !== true) return t.skip("not 'leavesSignals'");
    const counted = new CountedSignal();
    const { signal } = counted;
    await addAll(fixture);
    await fixture.source.poll({ signal });
    await counted.isLeft("a poll that was not read");
    for (const _ of await fixture.source.poll({ signal })) break;
    await counted.isLeft("a poll that was read in part");
    Array.from(await fixture.source.poll({ signal }));
    await counted.isLeft("a poll that was read");
    if (fixture.fail === undefined) return;
    await fixture.fail();
    await fixture.source.poll({ signal }).catch(() => {}); // Another rule checks the result.
    await counted.isLeft("a poll that failed");
  }],

  ["replay equals reality over a random history", async (fixture) => {
    const random = randomNumbers(11);
    const reality = new Set<string>();
    const known = new Map<string, T>();
    for (let round = 0; round < 15; round++) {
      const before = new Set(reality);
      const modified = await change(fixture, reality, random);
      const inPart = random() < 0.3;
      // The part that was read may have been everything, and then it is committed.
      const part = inPart ? await pollPart(fixture.source, Math.floor(random() * 3)) : [];
      const events = [...part, ...await poll(fixture.source)];
      replay(known, events, (item) => fixture.key(item), inPart);
      assert.deepEqual(sorted(known.keys()), sorted(reality));
      const told = new Set(events.map(({ item }) => fixture.key(item)));
      for (const key of modified) {
        if (before.has(key) && reality.has(key)) assert.ok(told.has(key), `not told: ${key}`);
      }
    }
  }],

  ["state saved by one source goes on in another", async (fixture, t) => {
    const source = saving(fixture.source);
    if (source === undefined) return t.skip("the source has no 'save' and 'restore'");
    const restart = () => restarted(fixture, source.save());
    const [first = "", second, third] = keysOf(fixture);
    assert.deepEqual(await poll(await restart()), [], "before the first poll");
    await fixture.add(first);
    if (second !== undefined) await fixture.add(second);
    await poll(source);
    assert.deepEqual(await poll(await restart()), [], "nothing changed meanwhile");
    await fixture.modify(first);
    assert.ok((await changesOf(fixture, await restart())).includes(`modified ${first}`));
    await fixture.remove(first);
    const expected = [`removed ${first}`];
    if (second !== undefined) {
      await fixture.modify(second);
      expected.push(`modified ${second}`);
    }
    if (third !== undefined) {
      await fixture.add(third);
      expected.push(`added ${third}`);
    }
    const next = await restart();
    assert.deepEqual(await changesOf(fixture, next), expected.sort(), "changed meanwhile");
    assert.deepEqual(await poll(await restarted(fixture, next.save())), []);
  }],

  ["state saved in the middle of a delivery loses nothing", async (fixture, t) => {
    if (saving(fixture.source) === undefined) {
      return t.skip("the source has no 'save' and 'restore'");
    }
    await addAll(fixture);
    for (let count = 0; count <= keysOf(fixture).length; count++) {
      const source = await fixture.fresh();
      const handled = new Set<string>();
      const events = (await source.poll({ signal: new AbortController().signal }))
        [Symbol.iterator]();
      // The last one read is still being handled when the state is saved.
      for (let i = 0; i <= count; i++) {
        const next = events.next();
        if (next.done !== true && i < count) handled.add(fixture.key(next.value.item));
      }
      const state = source.save?.() ?? new Uint8Array();
      for (const { type, item } of await poll(await restarted(fixture, state))) {
        assert.equal(type, "added");
        handled.add(fixture.key(item));
      }
      assert.deepEqual(sorted(handled), sorted(keysOf(fixture)), `saved behind ${count} events`);
    }
  }],

  ["state that was cut off or is none is refused", async (fixture, t) => {
    const source = saving(fixture.source);
    if (source === undefined) return t.skip("the source has no 'save' and 'restore'");
    await addAll(fixture);
    await poll(source);
    const state = source.save();
    assert.ok(state.length > 0, "a state must not be empty");
    for (const length of [0, 1, state.length >> 1, state.length - 1]) {
      const other = await fixture.fresh();
      assert.throws(
        () => other.restore?.(state.slice(0, length)),
        Error,
        `restore must throw for the first ${length} of ${state.length} bytes`,
      );
    }
  }],
];

function keysOf<T>({ keys = ["a", "b", "c", "d"] }: SourceFixture<T>): readonly string[] {
  assert.ok(keys.length > 0, "the fixture must have a key");
  return keys;
}

/** Adds an item for every key, and returns the first key. */
async function addAll<T>(fixture: SourceFixture<T>): Promise<string> {
  const [first = "", ...others] = keysOf(fixture);
  for (const key of [first, ...others]) await fixture.add(key);
  return first;
}

function eachOf<T>(type: string, fixture: SourceFixture<T>): string[] {
  return sorted(keysOf(fixture).map((key) => `${type} ${key}`));
}

/** What a poll finds, sorted: only stores have an order. */
async function changesOf<T>(
  fixture: SourceFixture<T>,
  source: ExternalSource<T> = fixture.source,
): Promise<string[]> {
  return sorted(shortOf(await poll(source), (item) => fixture.key(item)));
}

/** Makes a few changes, and returns the keys that were modified and not removed since. */
async function change<T>(
  fixture: SourceFixture<T>,
  reality: Set<string>,
  random: () => number,
): Promise<Set<string>> {
  const keys = keysOf(fixture);
  const touched = new Set<string>();
  for (let changes = Math.floor(random() * 4); changes > 0; changes--) {
    const key = keys[Math.floor(random() * keys.length)] as string;
    if (!reality.has(key)) {
      await fixture.add(key);
      reality.add(key);
    } else if (random() < 0.5) {
      await fixture.modify(key);
      touched.add(key);
    } else {
      await fixture.remove(key);
      reality.delete(key);
      touched.delete(key);
    }
  }
  return touched;
}

async function restarted<T>(fixture: SourceFixture<T>, state: Uint8Array): Promise<Saved<T>> {
  const source = saving(await fixture.fresh());
  assert.ok(source !== undefined, "a fresh source must have 'save' and 'restore' too");
  assert.equal(source.name, fixture.source.name, "the name must survive a restart");
  source.restore(state);
  return source;
}

function saving<T>(source: ExternalSource<T>): Saved<T> | undefined {
  assert.equal(typeof source.save, typeof source.restore, "'save' and 'restore' go together");
  return source.save === undefined ? undefined : source as Saved<T>;
}

/** Turns a throw into a rejection. */
async function promise<R>(call: () => Promise<R>): Promise<R> {
  return await call();
}

function sorted(texts: Iterable<string>): string[] {
  return [...texts].sort();
}
