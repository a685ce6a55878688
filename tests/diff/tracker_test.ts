// The state of a poller: deliveries that break off, overlap, or are overtaken by a restore; and whose state it is.
import assert from "node:assert/strict";
import { test } from "node:test";
import { objectCodec } from "../../_diff/object_identity.ts";
import { Part } from "../../_diff/part.ts";
import type { Change } from "../../_diff/snapshot.ts";
import { Tracker } from "../../_diff/tracker.ts";
import { ExternalError } from "../../error.ts";
import type { ObjectMeta } from "../../store.ts";
import { build, shape } from "./_objects.ts";

const IDENTITY = '["objects","s3://data",""]';

function track(options: { maxRemoved?: number; identity?: string } = {}): Tracker<ObjectMeta> {
  const { maxRemoved = 1, identity = IDENTITY } = options;
  return new Tracker({ name: "mine", identity, codec: objectCodec, build, maxRemoved });
}

/** A listing: each key with its size. */
const listing = (sizes: Record<string, number>) =>
  build(Object.entries(sizes).map(([key, size]) => ({ key, size })));

const short = ({ type, item }: Change<ObjectMeta>) => `${type} ${item.key}${item.size}`;

/** Reads so many changes, and leaves the last one unhandled. */
function read(changes: Iterable<Change<ObjectMeta>>, count = Infinity): string[] {
  const iterator = changes[Symbol.iterator]();
  const found: string[] = [];
  while (found.length < count) {
    const { done, value } = iterator.next();
    if (done) break;
    found.push(short(value));
  }
  return found;
}

const isCheckpointError = (message: RegExp) => (error: unknown): boolean => {
  assert.ok(error instanceof ExternalError, String(error));
  assert.equal(error.code, "checkpoint");
  assert.match(error.message, message);
  return true;
};

test("what is in doubt is what a delivery that broke off has given", () => {
  const tracker = track();
  assert.deepEqual(read(tracker.deliver(listing({ a: 1, b: 1, c: 1 })), 2), [
    "added a1",
    "added b1",
  ]);
  assert.deepEqual(shape(tracker.doubtful).map(({ key }) => key), ["a", "b"]);
  // Also for whoever asks before the next delivery, again and again.
  assert.equal(tracker.doubtful.count, 2);
  assert.deepEqual(read(tracker.deliver(listing({ b: 1, c: 2 }))), [
    "removed a1",
    "added b1",
    "added c2",
  ]);
  assert.equal(tracker.doubtful.count, 0);
});

test("an older delivery that is read to its end after a newer one reports and commits nothing", () => {
  for (const given of [0, 1]) {
    const tracker = track();
    const older = tracker.deliver(listing({ a: 1, b: 1 }))[Symbol.iterator]();
    for (let i = 0; i < given; i++) older.next();
    assert.deepEqual(read(tracker.deliver(listing({ a: 2, c: 2 }))), ["added a2", "added c2"]);
    assert.equal(older.next().done, true);
    assert.deepEqual(shape(tracker.committed).map(({ key }) => key), ["a", "c"]);
    assert.equal(tracker.doubtful.count, 0);
    // And while the newer one is under way.
    const next = tracker.deliver(listing({}))[Symbol.iterator]();
    next.next();
    assert.equal(older.next().done, true);
    assert.equal(tracker.committed.count, 2);
    assert.deepEqual(short(next.next().value as Change<ObjectMeta>), "removed c2");
    assert.equal(next.next().done, true);
    assert.equal(tracker.committed.count, 0);
  }
});

test("an older delivery whose last change was given before a newer one commits nothing", () => {
  const tracker = track();
  const older = tracker.deliver(listing({ a: 1 }))[Symbol.iterator]();
  older.next();
  assert.deepEqual(read(tracker.deliver(listing({ a: 2 }))), ["added a2"]);
  assert.equal(older.next().done, true);
  assert.deepEqual(shape(tracker.committed), [{ key: "a", size: 2 }]);
});

test("a delivery that nobody has read yet leaves the state as it was", () => {
  const tracker = track();
  read(tracker.deliver(listing({ a: 1 })));
  const before = tracker.save();
  const changes = tracker.deliver(listing({ b: 1 }));
  assert.deepEqual(tracker.save(), before);
  assert.deepEqual(read(changes), ["removed a1", "added b1"]);
});

test("a restore in the middle of a delivery ends it, and leaves nothing of it in doubt", () => {
  const saved = track();
  read(saved.deliver(listing({ x: 1 })));
  const tracker = track();
  const delivery = tracker.deliver(listing({ a: 1, b: 1, c: 1 }))[Symbol.iterator]();
  delivery.next();
  delivery.next();
  tracker.restore(saved.save());
  assert.deepEqual(tracker.save(), saved.save());
  assert.equal(delivery.next().done, true);
  assert.deepEqual(tracker.save(), saved.save());
  assert.deepEqual(read(tracker.deliver(listing({ a: 1 }))), ["added a1", "removed x1"]);
});

test("a state that is refused changes nothing", () => {
  const other = track({ identity: '["objects","s3://other",""]' });
  read(other.deliver(listing({ x: 1 })));
  const tracker = track();
  const delivery = tracker.deliver(listing({ a: 1, b: 1 }))[Symbol.iterator]();
  delivery.next();
  const before = tracker.save();
  assert.throws(() => tracker.restore(other.save()), isCheckpointError(/belongs to .*other/));
  assert.throws(() => tracker.restore(before.subarray(1)), isCheckpointError(/not a checkpoint/));
  assert.deepEqual(tracker.save(), before);
  assert.equal(delivery.next().done, false);
  assert.equal(delivery.next().done, true);
  assert.equal(tracker.committed.count, 2);
});

test("the guard counts what may have been told, and takes all of it as the base", () => {
  const sizes = (count: number) =>
    listing(Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i + 100}`, 1])));
  const guard = (message: RegExp) => (error: unknown) =>
    error instanceof ExternalError && error.code === "removal-guard" && message.test(error.message);
  const tracker = track({ maxRemoved: 0.1 });
  // Nobody was told anything: nothing can be removed.
  assert.deepEqual(read(tracker.deliver(sizes(100)), 60).length, 60);
  assert.throws(() => tracker.deliver(sizes(53)), guard(/: 7 of 60 would be removed/));
  // A poll that failed leaves them in doubt.
  assert.throws(() => tracker.deliver(sizes(0)), guard(/: 60 of 60 would be removed/));
  const restored = track({ maxRemoved: 0.1 });
  restored.restore(tracker.save());
  for (const each of [tracker, restored]) {
    assert.equal(read(each.deliver(sizes(54))).filter((event) => /removed/.test(event)).length, 6);
    assert.throws(() => each.deliver(sizes(48)), guard(/: 6 of 54 would be removed/));
  }
  // Those in doubt that the last listing has count once.
  const changed = track({ maxRemoved: 0.5 });
  read(changed.deliver(listing({ a: 1, b: 1, c: 1, d: 1 })));
  read(changed.deliver(listing({ a: 2, b: 2, c: 2, d: 2, e: 1 })), 5);
  assert.throws(() => changed.deliver(listing({ a: 1, b: 1 })), guard(/: 3 of 5 would be removed/));
  assert.equal(read(changed.deliver(listing({ a: 1, b: 1, c: 1 }))).length, 5);
});

test("a state belongs to where it was kept, as soon as that is known", () => {
  const tracker = track();
  tracker.confirm("https://one");
  read(tracker.deliver(listing({ a: 1 })));
  const state = tracker.save();
  const restored = () => {
    const tracker = track();
    tracker.restore(state);
    return tracker;
  };
  restored().confirm("https://one");
  const message = /belongs to '\["objects","s3:\/\/data","","https:\/\/one"\]'/;
  for (const elsewhere of ["https://two", "", undefined]) {
    assert.throws(() => restored().confirm(elsewhere), isCheckpointError(message));
  }
  // It says so also if it is saved once more before anybody was asked.
  assert.deepEqual(restored().save(), state);
  // Of what was saved without it nothing can be said.
  const old = track();
  read(old.deliver(listing({ a: 1 })));
  const taken = track();
  taken.restore(old.save());
  taken.confirm("https://two");
  assert.notDeepEqual(taken.save(), old.save());
  // What was learned is not forgotten with a state that does not know it.
  taken.restore(old.save());
  assert.throws(() => taken.confirm("https://one"), isCheckpointError(/belongs to .*two/));
});

test("what is no origin in an identity is something else's", () => {
  const base = IDENTITY.slice(0, -1);
  for (const identity of [`${base},1]`, `${base},"a","b"]`, `${base}"x"]`, `${base},"a" ]`, base]) {
    const other = track({ identity });
    assert.throws(() => track().restore(other.save()), isCheckpointError(/belongs to/), identity);
  }
});

test("a poll of a part leaves in doubt what is outside of it", () => {
  const tracker = track();
  const part = new Part("a", []);
  const doubts = () => shape(tracker.doubtful).map(({ key }) => key);
  read(tracker.deliver(listing({ a1: 1, b1: 1, c1: 1 })), 2);
  assert.deepEqual(read(tracker.deliver(listing({ a1: 1 }), {}, part)), ["added a11"]);
  assert.deepEqual(doubts(), ["b1"]);
  // Also one that breaks off, and a restart in the middle of it.
  assert.deepEqual(read(tracker.deliver(listing({ a1: 1, a2: 1, a3: 1 }), {}, part), 2), [
    "added a21",
    "added a31",
  ]);
  const restored = track();
  restored.restore(tracker.save());
  assert.deepEqual(doubts(), ["a2", "a3", "b1"]);
  for (const each of [tracker, restored]) {
    assert.deepEqual(read(each.deliver(listing({ a1: 1, c1: 1 }))).sort(), [
      "added c11",
      "removed a21",
      "removed a31",
      "removed b11",
    ]);
  }
});
