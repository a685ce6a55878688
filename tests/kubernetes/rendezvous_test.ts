// Sources are shared evenly, the same everywhere, and move no more than they must.
import assert from "node:assert/strict";
import { test } from "node:test";
import { hashText, Rendezvous } from "../../_kubernetes/rendezvous.ts";

const sources = Array.from({ length: 20_000 }, (_, i) => `default/source-${i}`);
const replicas = (count: number) => Array.from({ length: count }, (_, i) => `operator-5f7-${i}`);

test("the order and the number of times that members are named does not matter", () => {
  const one = new Rendezvous(["a", "b", "c"]);
  const other = new Rendezvous(["c", "a", "b", "a"]);
  assert.ok(one.equals(other));
  for (const source of sources.slice(0, 100)) {
    assert.equal(one.winner(source), other.winner(source));
  }
});

test("a share is the same in every version: it decides who polls while replicas are replaced", () => {
  assert.deepEqual(["", "a", "default/source-1"].map(hashText), [
    2872998923,
    444641715,
    3416115652,
  ]);
});

test("nobody is there: nobody wins", () => {
  assert.equal(new Rendezvous([]).winner("a"), undefined);
});

for (const count of [2, 3, 10, 100]) {
  test(`${count} replicas have about equal shares`, () => {
    const shares = new Map<string, number>();
    const ring = new Rendezvous(replicas(count));
    for (const source of sources) {
      const winner = ring.winner(source) as string;
      shares.set(winner, (shares.get(winner) ?? 0) + 1);
    }
    const fair = sources.length / count;
    assert.equal(shares.size, count);
    for (const share of shares.values()) {
      assert.ok(Math.abs(share - fair) < 5 * Math.sqrt(fair), `${share} of ${fair}`);
    }
  });
}

test("when a replica joins, it alone gains, and when one leaves, its sources alone move", () => {
  const before = new Rendezvous(replicas(10));
  const after = new Rendezvous(replicas(11));
  let moved = 0;
  for (const source of sources) {
    const [from, to] = [before.winner(source), after.winner(source)];
    if (from === to) continue;
    moved++;
    assert.equal(to, "operator-5f7-10");
  }
  assert.ok(moved <= 1.2 * sources.length / 11, `${moved}`);
});
