// E2, E3: events that are acknowledged one by one. What is saved is exactly what was handled, at any moment.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { objectCodec } from "../../_diff/object_identity.ts";
import type { Change } from "../../_diff/snapshot.ts";
import { Tracker } from "../../_diff/tracker.ts";
import type { ObjectMeta } from "../../store.ts";
import { build } from "./_objects.ts";

const each = { each: true } as const;

function track(): Tracker<ObjectMeta> {
  const identity = '["objects","s3://data",""]';
  return new Tracker({ name: "mine", identity, codec: objectCodec, build, maxRemoved: 1 });
}

/** A listing: each key with its size. */
const listing = (sizes: Record<string, number>) =>
  build(Object.entries(sizes).map(([key, size]) => ({ key, size })));

const short = (change: Change<ObjectMeta> | undefined) =>
  change && `${change.type} ${change.item.key}${change.item.size}` +
    (change.type === "modified" ? ` from ${change.previous.size}` : "");

/** What a new process is told, with this listing. */
function afterRestart(tracker: Tracker<ObjectMeta>, sizes: Record<string, number>) {
  const next = track();
  next.restore(tracker.save());
  return [...next.deliver(listing(sizes))].map(short);
}

function handleAll(tracker: Tracker<ObjectMeta>, sizes: Record<string, number>): void {
  for (const { item } of tracker.deliver(listing(sizes), each)) tracker.handled(item.key);
}

test("what is out or set aside comes again behind a restart, as if it had never been told", () => {
  const tracker = track();
  handleAll(tracker, { b: 1 });
  const sizes = { a: 2, b: 2, c: 2, d: 2 };
  const changes = tracker.deliver(listing(sizes), each)[Symbol.iterator]();
  for (let i = 0; i < 3; i++) changes.next();
  tracker.handled("c");
  assert.deepEqual(afterRestart(tracker, sizes), ["added a2", "modified b2 from 1", "added d2"]);
  tracker.setAside("b");
  tracker.handled("a");
  changes.next();
  assert.equal(changes.next().done, true);
  tracker.handled("d");
  assert.deepEqual(afterRestart(tracker, sizes), ["modified b2 from 1"]);
  // Gone before the restart, it is reported: the handler may have done half of its work.
  assert.deepEqual(afterRestart(tracker, { a: 2, c: 2, d: 2 }), ["removed b1"]);
  // Changed back, as well.
  assert.deepEqual(afterRestart(tracker, { ...sizes, b: 1 }), ["modified b1 from 2"]);
});

test("what was never handled and is gone behind a restart is removed", () => {
  const tracker = track();
  tracker.deliver(listing({ a: 1 }), each)[Symbol.iterator]().next();
  assert.deepEqual(afterRestart(tracker, {}), ["removed a1"]);
});

test("polls do not report what is set aside; asked for again, it is as it is now", () => {
  const tracker = track();
  for (const { item } of tracker.deliver(listing({ a: 1, b: 1, c: 1 }), each)) {
    if (item.key === "b") tracker.handled("b");
    else tracker.setAside(item.key);
  }
  assert.deepEqual([...tracker.asideKeys()], ["a", "c"]);
  assert.deepEqual([...tracker.deliver(listing({ a: 2, b: 1 }), each)], []);
  assert.equal(short(tracker.again("a")), "added a2");
  assert.equal(short(tracker.again("c")), "removed c1");
  assert.equal(tracker.again("a"), undefined); // It is out.
  assert.equal(tracker.again("b"), undefined);
  tracker.handled("a");
  tracker.setAside("c");
  assert.deepEqual([...tracker.deliver(listing({ a: 2, b: 1, c: 3 }), each)], []);
  assert.equal(short(tracker.again("c")), "added c3");
  tracker.handled("c");
  assert.deepEqual([...tracker.deliver(listing({ a: 2, b: 1, c: 3 }), each)], []);
  assert.deepEqual(afterRestart(tracker, { a: 2, b: 1, c: 3 }), []);
});

test("previous is what was handled last, whatever was told since", () => {
  const tracker = track();
  handleAll(tracker, { a: 1 });
  for (const size of [2, 3]) {
    for (const { item } of tracker.deliver(listing({ a: size }), each)) {
      tracker.setAside(item.key);
    }
  }
  assert.equal(short(tracker.again("a")), "modified a3 from 1");
  tracker.setAside("a");
  assert.deepEqual([...tracker.deliver(listing({}), each)], []);
  assert.equal(short(tracker.again("a")), "removed a3");
  tracker.handled("a");
  assert.deepEqual([...tracker.deliver(listing({ a: 4 }), each)].map(short), ["added a4"]);
});

test("an item handled again, ahead of where a delivery has come to, is not reported by it", () => {
  const tracker = track();
  for (const { item } of tracker.deliver(listing({ a: 1, z: 1 }), each)) {
    if (item.key === "z") tracker.setAside("z");
    else tracker.handled("a");
  }
  const sizes = { a: 2, b: 2, z: 2 };
  const changes = tracker.deliver(listing(sizes), each)[Symbol.iterator]();
  assert.equal(short(changes.next().value as Change<ObjectMeta>), "modified a2 from 1");
  assert.equal(short(tracker.again("z")), "added z2");
  tracker.handled("z");
  assert.deepEqual(afterRestart(tracker, sizes), ["modified a2 from 1", "added b2"]);
  assert.equal(short(changes.next().value as Change<ObjectMeta>), "added b2");
  assert.equal(changes.next().done, true);
  tracker.handled("a");
  tracker.handled("b");
  assert.deepEqual(afterRestart(tracker, sizes), []);
});

test("a delivery that breaks off keeps what was handled of it", () => {
  const tracker = track();
  const changes = tracker.deliver(listing({ a: 1, b: 1, c: 1 }), each)[Symbol.iterator]();
  for (const key of ["a", "b"]) {
    changes.next();
    if (key === "a") tracker.handled(key);
  }
  const next = [...tracker.deliver(listing({ a: 1, b: 1, c: 1 }), each)];
  assert.deepEqual(next.map(short), ["added b1", "added c1"]);
});

test("whoever acknowledges by reading on is told of what was set aside", () => {
  const tracker = track();
  for (const { item } of tracker.deliver(listing({ a: 1, b: 1 }), each)) tracker.setAside(item.key);
  assert.deepEqual([...tracker.deliver(listing({ b: 1 }))].map(short), ["removed a1", "added b1"]);
  assert.deepEqual([...tracker.deliver(listing({ b: 1 }))], []);
  assert.deepEqual([...tracker.asideKeys()], []);
});

test("all of it once more: what did not change as modified, removals included, and what is in doubt once", () => {
  for (const mode of [{ all: true }, { all: true, each: true }] as const) {
    const tracker = track();
    handleAll(tracker, { a: 1, b: 1, c: 1 });
    const changes = tracker.deliver(listing({ a: 1, b: 1, d: 1 }), each)[Symbol.iterator]();
    changes.next(); // c, removed, is in doubt now
    const told = [...tracker.deliver(listing({ a: 1, b: 2, d: 1 }), mode)].map(short);
    assert.deepEqual(told, [
      "modified a1 from 1",
      "modified b2 from 1",
      "removed c1",
      "added d1",
    ]);
  }
});

test("at any moment: a restart tells exactly what was not handled", () => {
  const key = fc.constantFrom("a", "b", "c", "d", "e");
  const step = fc.oneof(
    fc.record({ kind: fc.constantFrom("handled", "aside", "again"), key }),
    fc.record({ kind: fc.constant("put"), key, size: fc.nat({ max: 3 }) }),
    fc.record({ kind: fc.constant("remove"), key }),
    fc.record({ kind: fc.constantFrom("next", "next", "next", "poll") }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const tracker = track();
      /** What the consumer has handled, what is out with it, and what was set aside. */
      const handled = new Map<string, number>();
      const out = new Map<string, Change<ObjectMeta>>();
      const told = new Map<string, number>();
      const world: Record<string, number> = {};
      let listed: Record<string, number> = {};
      let changes: Iterator<Change<ObjectMeta>> | undefined;
      for (const step of steps) {
        const { kind, key = "" } = step as { kind: string; key?: string };
        const change = out.get(key);
        if (kind === "put") world[key] = (step as { size: number }).size;
        if (kind === "remove") delete world[key];
        if (kind === "handled" && change !== undefined) {
          if (change.type === "removed") handled.delete(key);
          else handled.set(key, change.item.size);
          tracker.handled(key);
          out.delete(key);
          told.delete(key);
        }
        if (kind === "aside" && out.delete(key)) tracker.setAside(key);
        if (kind === "again") {
          const again = tracker.again(key);
          if (again !== undefined) out.set(key, again);
          if (again !== undefined) told.set(key, again.item.size);
        }
        if (kind === "next") {
          const next = changes?.next();
          if (next?.done) changes = undefined;
          else if (next !== undefined) {
            const { item } = next.value;
            assert.ok(!told.has(item.key), "reported while it is out or set aside");
            out.set(item.key, next.value);
            told.set(item.key, item.size);
          }
        }
        // As a watch does: no poll before all were handed out, and handled or set aside.
        if (kind === "poll" && changes === undefined && out.size === 0) {
          listed = { ...world };
          changes = tracker.deliver(listing(listed), each)[Symbol.iterator]();
        }
        const expected: string[] = [];
        for (const key of [..."abcde"]) {
          const now = listed[key], before = handled.get(key), last = told.get(key);
          if (now === before && last === undefined) continue;
          if (now === undefined) {
            expected.push(`removed ${key}${before ?? last}`);
          } else if (before === undefined) expected.push(`added ${key}${now}`);
          else expected.push(`modified ${key}${now} from ${now === before ? last : before}`);
        }
        assert.deepEqual(afterRestart(tracker, listed), expected);
      }
    }),
    { numRuns: 200 },
  );
});

test("a delivery that another one has overtaken reports and commits nothing, read or not", () => {
  for (const given of [0, 1]) {
    const tracker = track();
    const older = tracker.deliver(listing({ a: 1, b: 1 }), each)[Symbol.iterator]();
    for (let i = 0; i < given; i++) older.next();
    const newer = tracker.deliver(listing({ a: 2, c: 1 }), each)[Symbol.iterator]();
    assert.equal(older.next().done, true);
    assert.equal(short(newer.next().value as Change<ObjectMeta>), "added a2");
    assert.equal(older.next().done, true);
    assert.equal(short(newer.next().value as Change<ObjectMeta>), "added c1");
    assert.equal(newer.next().done, true);
    assert.equal(tracker.committed.count, 2);
    tracker.handled("a");
    tracker.handled("c");
    assert.deepEqual(afterRestart(tracker, { a: 2, c: 1 }), []);
  }
});

test("an item that is put back is set aside until the next poll, which reports it", () => {
  const tracker = track();
  handleAll(tracker, { a: 1 });
  for (const { item } of tracker.deliver(listing({ a: 2, b: 2 }), each)) {
    tracker.setAside(item.key);
    tracker.putBack(item.key);
  }
  assert.deepEqual([...tracker.asideKeys()], ["a", "b"]);
  assert.equal(tracker.again("a"), undefined, "only the poll can tell");
  const told = [...tracker.deliver(listing({ a: 2, b: 3 }), each)].map(short);
  assert.deepEqual(told, ["modified a2 from 1", "added b3"]);
  assert.deepEqual([...tracker.asideKeys()], []);
  // Only what was set aside can be put back, or asked for again.
  tracker.putBack("a");
  tracker.putBack("none");
  tracker.setAside("none");
  tracker.handled("none");
  assert.equal(tracker.again("a"), undefined);
  tracker.handled("a");
  tracker.handled("b");
  assert.deepEqual(afterRestart(tracker, { a: 2, b: 3 }), []);
});

test("what is set aside is not handled by saying so, and not set aside once it was handled", () => {
  const tracker = track();
  for (const { item } of tracker.deliver(listing({ a: 1, b: 1 }), each)) {
    if (item.key === "a") tracker.setAside("a");
    else tracker.handled("b");
  }
  tracker.handled("a");
  tracker.setAside("b");
  assert.deepEqual([...tracker.asideKeys()], ["a"]);
  assert.deepEqual(afterRestart(tracker, { a: 1, b: 1 }), ["added a1"]);
});

test("a restore forgets what was out and set aside", () => {
  const saved = track();
  handleAll(saved, { x: 1 });
  const tracker = track();
  for (const { item } of tracker.deliver(listing({ a: 1, b: 1 }), each)) {
    if (item.key === "a") tracker.setAside("a");
  }
  tracker.restore(saved.save());
  assert.deepEqual([...tracker.asideKeys()], []);
  assert.deepEqual(tracker.save(), saved.save());
  const told = [...tracker.deliver(listing({ a: 1, x: 1 }), each)].map(short);
  assert.deepEqual(told, ["added a1"]);
});

test("all that is withdrawn is removed, what is in doubt as well", () => {
  for (const mode of [{}, each]) {
    const tracker = track();
    handleAll(tracker, { a: 1, b: 1 });
    tracker.deliver(listing({ a: 1, b: 1, c: 1 }))[Symbol.iterator]().next();
    const gone = [...tracker.withdraw(mode)].map(short);
    assert.deepEqual(gone, ["removed a1", "removed b1", "removed c1"]);
    assert.equal(tracker.committed.count, 0);
    for (const key of ["a", "b", "c"]) tracker.handled(key);
    assert.deepEqual(afterRestart(tracker, {}), []);
  }
});

test("what was in doubt and is handled by a delivery that breaks off comes no more", () => {
  const tracker = track();
  const sizes = { a: 1, b: 1, c: 1 };
  const first = tracker.deliver(listing(sizes))[Symbol.iterator]();
  for (let i = 0; i < 2; i++) first.next(); // a and b are in doubt.
  const changes = tracker.deliver(listing(sizes), each)[Symbol.iterator]();
  assert.equal(short(changes.next().value as Change<ObjectMeta>), "added a1");
  tracker.handled("a");
  const told = [...tracker.deliver(listing({ a: 1, c: 1 }), each)].map(short);
  assert.deepEqual(told, ["removed b1", "added c1"]);
});
