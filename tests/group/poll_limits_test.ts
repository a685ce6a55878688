import assert from "node:assert/strict";
import { test } from "node:test";
import { Gate, type Passenger } from "../../_group/poll_limits.ts";

interface Source extends Passenger {
  readonly name: string;
}

function source(name: string, host?: string, isSuspect = false): Source {
  return { name, host, isSuspect, isParked: false };
}

/** A gate, and the names of what it has put back. */
function gateOf(polls: number, perHost: number): { gate: Gate<Source>; back: string[] } {
  const back: string[] = [];
  return { gate: new Gate<Source>(polls, perHost, ({ name }) => back.push(name)), back };
}

/** Lets sources in of which each must find room. */
function enter(gate: Gate<Source>, ...sources: Source[]): (() => void)[] {
  return sources.map((source) => {
    const leave = gate.enter(source);
    assert.ok(leave !== undefined, source.name);
    return leave;
  });
}

test("polls are counted until they end, and the gate is full at its limit", () => {
  const { gate } = gateOf(2, 2);
  const [first, second] = enter(gate, source("a"), source("b"));
  assert.deepEqual([gate.underWay, gate.isFull], [2, true]);
  first!();
  assert.deepEqual([gate.underWay, gate.isFull], [1, false]);
  second!();
  assert.equal(gate.underWay, 0);
});

test("a source without room at its host is parked until one of that host has ended", () => {
  const { gate, back } = gateOf(10, 1);
  const [leave] = enter(gate, source("a", "one"));
  const [b, c] = [source("b", "one"), source("c", "one")];
  assert.equal(gate.enter(b), undefined);
  assert.equal(gate.enter(c), undefined);
  enter(gate, source("d", "two"), source("e"));
  assert.deepEqual([b.isParked, c.isParked, gate.underWay], [true, true, 3]);
  leave!();
  assert.deepEqual(back, ["b"], "one, as there is room for one");
  assert.equal(b.isParked, false);
  const [leaveB] = enter(gate, b);
  assert.deepEqual(back, ["b"]);
  leaveB!();
  assert.deepEqual(back, ["b", "c"]);
});

test("half of the polls, rounded up, are for those that may hang", () => {
  for (const [polls, half] of [[1, 1], [4, 2], [5, 3]] as const) {
    const { gate, back } = gateOf(polls, polls);
    const suspects = Array.from({ length: half }, (_, i) => source(`s${i}`, undefined, true));
    const [leave] = enter(gate, ...suspects);
    assert.equal(gate.enter(source("one more", undefined, true)), undefined);
    leave!();
    assert.deepEqual(back, ["one more"]);
  }
});

test("a source that leaves while it is parked is not put back, but the one behind it is", () => {
  const { gate, back } = gateOf(10, 1);
  const [leave] = enter(gate, source("a", "one"));
  const [b, c] = [source("b", "one"), source("c", "one")];
  gate.enter(b);
  gate.enter(c);
  gate.leave(b);
  assert.deepEqual([b.isParked, back], [false, []]);
  leave!();
  assert.deepEqual(back, ["c"]);
});

test("a source that was put back, and leaves instead, makes room for the next", () => {
  const { gate, back } = gateOf(10, 1);
  const [leave] = enter(gate, source("a", "one"));
  const [b, c] = [source("b", "one"), source("c", "one")];
  gate.enter(b);
  gate.enter(c);
  leave!();
  assert.deepEqual(back, ["b"]);
  gate.leave(b);
  assert.deepEqual(back, ["b", "c"]);
});

test("one that is put back for its suspicion, and has no room at its host, lets the next suspect in", () => {
  const { gate, back } = gateOf(4, 1);
  enter(gate, source("host", "one"));
  const [leave] = enter(gate, source("s0", undefined, true), source("s1", undefined, true));
  const [both, other] = [source("both", "one", true), source("other", undefined, true)];
  gate.enter(both);
  gate.enter(other);
  leave!();
  assert.deepEqual(back, ["both"]);
  assert.equal(gate.enter(both), undefined);
  assert.deepEqual(back, ["both", "other"]);
});

test("the limit of a host holds while some of its polls are under way or wait", () => {
  const { gate } = gateOf(10, 2);
  const [first, second] = enter(gate, source("a", "one"), source("b", "one"));
  assert.equal(gate.enter(source("c", "one")), undefined);
  first!();
  enter(gate, source("d", "one"));
  assert.equal(gate.enter(source("e", "one")), undefined, "one of the two has ended");
  second!();
  // One that never entered and leaves takes no room away, and gives none.
  gate.leave(source("f", "one"));
  enter(gate, source("g", "one"));
  assert.equal(gate.enter(source("h", "one")), undefined);
});
