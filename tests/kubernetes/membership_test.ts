// Never two owners of one source, and in the end always one: replicas that join, leave, freeze and cannot reach the server.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Membership, type Peer } from "../../_kubernetes/membership.ts";
import { Rendezvous } from "../../_kubernetes/rendezvous.ts";

const LEASE = 1000;
const RENEWAL = 250;
const SOURCES = ["a", "b", "c", "d", "e", "f"];

/** What the API server keeps, and the clock of all. */
class World {
  now = 0;
  stamp = 0;
  readonly leases: Map<string, Peer> = new Map();
  readonly replicas: Replica[] = [];

  /** Lets time pass in steps, and looks at every moment for two that own one source. */
  run(time: number): void {
    for (const end = this.now + time; this.now < end; this.now += 10) {
      for (const replica of this.replicas) replica.step();
      for (const source of SOURCES) {
        const owners = this.owners(source);
        assert.ok(owners.length <= 1, `${source} has ${owners.map(({ id }) => id)} at ${this.now}`);
      }
    }
  }

  owners(source: string): Replica[] {
    return this.replicas.filter((replica) => replica.acts(source));
  }
}

/** A process that renews and reads by turns. Every request takes its time to get there, and to come back. */
class Replica {
  readonly id: string;
  readonly #world: World;
  readonly #delay: number;
  readonly #membership: Membership;
  #due: number;
  #work: Generator<void> | undefined;
  frozen = false;
  cutOff = false;
  dead = false;

  constructor(world: World, id: string, delay: number) {
    [this.#world, this.id, this.#delay] = [world, id, delay];
    this.#membership = new Membership(id, LEASE);
    this.#due = world.now;
  }

  acts(source: string): boolean {
    return !this.dead && !this.frozen && this.#membership.owns(source, this.#world.now);
  }

  step(): void {
    if (this.dead || this.frozen) return;
    if (this.#work?.next().done === false) return;
    if (this.#world.now < this.#due && this.#work !== undefined) return;
    this.#work = this.#renewAndRead();
    this.#due = this.#world.now + RENEWAL;
  }

  /** Ends as on SIGTERM: lets go, then says so. */
  leave(): void {
    this.dead = true;
    this.#world.leases.delete(this.id);
  }

  *#wait(): Generator<void> {
    for (const end = this.#world.now + this.#delay; this.#world.now < end;) yield;
  }

  *#renewAndRead(): Generator<void> {
    const world = this.#world;
    do {
      const askedAt = world.now;
      const view = this.#membership.view;
      yield* this.#wait();
      if (this.cutOff) return;
      world.leases.set(this.id, { id: this.id, stamp: String(++world.stamp), view });
      yield* this.#wait();
      this.#membership.renewed(view, askedAt, world.now);

      const readAt = world.now;
      yield* this.#wait();
      if (this.cutOff) return;
      const peers = [...world.leases.values()];
      yield* this.#wait();
      this.#membership.observe(peers, readAt, world.now);
    } while (this.#membership.mustPublish);
  }
}

const event = fc.oneof(
  fc.record({ kind: fc.constant("join" as const), delay: fc.integer({ min: 0, max: 6 }) }),
  fc.record({
    kind: fc.constantFrom("kill", "leave", "freeze", "thaw", "cut", "mend"),
    which: fc.nat(20),
  }),
);

const history = fc.array(
  fc.record({ event, wait: fc.integer({ min: 1, max: 200 }).map((steps) => steps * 10) }),
  { minLength: 1, maxLength: 25 },
);

test("G5: never two owners, and one in the end, whatever becomes of the replicas", () => {
  fc.assert(
    fc.property(history, (events) => {
      const world = new World();
      for (const { event, wait } of events) {
        apply(world, event);
        world.run(wait);
      }
      // All that still live can reach the server again: soon every source has an owner.
      apply(world, { kind: "join", delay: 1 });
      for (const replica of world.replicas) replica.frozen = replica.cutOff = false;
      world.run(4 * LEASE);
      for (const source of SOURCES) assert.equal(world.owners(source).length, 1, source);
    }),
    { numRuns: 300 },
  );
});

function apply(
  world: World,
  event: { kind: "join"; delay: number } | { kind: string; which: number },
): void {
  if ("delay" in event) {
    world.replicas.push(new Replica(world, `replica-${world.replicas.length}`, event.delay * 10));
    return;
  }
  const living = world.replicas.filter(({ dead }) => !dead);
  const replica = living[event.which % living.length];
  if (replica === undefined) return;
  if (event.kind === "kill") replica.dead = true;
  if (event.kind === "leave" && !replica.frozen) replica.leave();
  if (event.kind === "freeze") replica.frozen = true;
  if (event.kind === "thaw") replica.frozen = false;
  if (event.kind === "cut") replica.cutOff = true;
  if (event.kind === "mend") replica.cutOff = false;
}

test("a replica that joins waits until the other has let go", () => {
  const first = new Membership("first", LEASE);
  first.renewed(["first"], 0, 0);
  first.observe([{ id: "first", stamp: "1", view: ["first"] }], 1, 1);
  const source = SOURCES.find((name) => {
    const both = new Membership("second", LEASE);
    both.observe([{ id: "first", stamp: "1", view: [] }], 1, 1);
    both.renewed(["first", "second"], 2, 2);
    both.observe([{ id: "first", stamp: "1", view: [] }], 3, 3);
    return both.owns(name, 4);
  }) as string;
  assert.ok(first.owns(source, 2));

  const second = new Membership("second", LEASE);
  second.observe([{ id: "first", stamp: "1", view: ["first"] }], 2, 2);
  second.renewed(second.view, 3, 3);
  second.observe([{ id: "first", stamp: "1", view: ["first"] }], 4, 4);
  assert.equal(second.owns(source, 5), false, "the first one still has it");
  first.observe([{ id: "second", stamp: "2", view: second.view }], 5, 5);
  assert.equal(first.owns(source, 5), false, "lets go at once");
  second.observe([{ id: "first", stamp: "3", view: first.view }], 6, 6);
  assert.ok(second.owns(source, 6));
});

test("a replica that cannot renew stops before the others may take over", () => {
  const replica = new Membership("a", LEASE);
  replica.renewed(["a"], 100, 150);
  replica.observe([], 150, 150);
  assert.ok(replica.owns("s", 150));
  assert.ok(replica.owns("s", 100 + LEASE * 0.8 - 1));
  assert.equal(replica.owns("s", 100 + LEASE * 0.8), false);
  replica.renewed(["a"], 1200, 1200);
  assert.equal(replica.owns("s", 1200), false, "not before the others were read again");
  replica.observe([], 1201, 1201);
  assert.ok(replica.owns("s", 1201));
});

test("a lease that is lost is held no more", () => {
  const replica = new Membership("a", LEASE);
  replica.renewed(["a"], 0, 0);
  replica.observe([], 0, 0);
  assert.ok(replica.owns("s", 1));
  replica.lost();
  assert.equal(replica.owns("s", 1), false);
});

test("a listing that was asked for before the view was published confirms nothing", () => {
  const replica = new Membership("a", LEASE);
  replica.renewed(["a"], 0, 10);
  replica.observe([], 5, 20);
  assert.equal(replica.owns("s", 20), false);
  replica.observe([], 21, 22);
  assert.ok(replica.owns("s", 22));
});

test("what a view took away is not held by the next one that gives it", () => {
  const replica = new Membership("a", LEASE);
  const other = (view: string[], stamp: string) => [{ id: "b", stamp, view }];
  const source = Array.from({ length: 100 }, (_, i) => `s${i}`)
    .find((name) => new Rendezvous(["a", "b"]).winner(name) === "b") as string;
  replica.renewed(["a"], 0, 0);
  replica.observe([], 0, 0);
  assert.ok(replica.owns(source, 0));
  replica.observe(other(["a", "b"], "1"), 1, 1);
  replica.renewed(replica.view, 700, 700);
  // The other one died, and its lease is still there when it is read next.
  replica.observe(other(["a", "b"], "1"), 1 + LEASE, 1 + LEASE);
  assert.equal(replica.owns(source, 2 + LEASE), false, "it may have been another's meanwhile");
});

test("at the very moment when a lease ends, it has ended: for its own replica and for the others", () => {
  const replica = new Membership("a", LEASE);
  const [own, others] = [["a"], [{ id: "b", stamp: "1", view: ["b"] }]];
  replica.renewed(own, 0, 0);
  replica.observe([], 0, 0);
  replica.renewed(own, LEASE * 0.8, LEASE * 0.8);
  assert.equal(replica.owns("s", LEASE * 0.8), false, "it starts from nothing");
  replica.observe(others, LEASE, LEASE);
  replica.observe(others, 2 * LEASE - 1, 2 * LEASE - 1);
  assert.deepEqual(replica.view, ["a", "b"]);
  replica.observe(others, 2 * LEASE, 2 * LEASE);
  assert.deepEqual(replica.view, ["a"]);
});

test("a source that was held is not held behind a gap that nobody has looked into", () => {
  const replica = new Membership("a", LEASE);
  replica.renewed(["a"], 0, 0);
  replica.observe([], 0, 0);
  assert.ok(replica.owns("s", 1));
  replica.renewed(["a"], LEASE, LEASE);
  assert.equal(replica.owns("s", LEASE), false);
  // Nor behind the loss of its Lease, which has to be published again.
  replica.observe([], LEASE, LEASE);
  assert.ok(replica.owns("s", LEASE));
  assert.equal(replica.mustPublish, false);
  replica.lost();
  assert.ok(replica.mustPublish);
  replica.observe([], LEASE, LEASE);
  replica.renewed(["a"], LEASE, LEASE + 2);
  assert.equal(replica.owns("s", LEASE + 2), false);
});

test("a renewal that publishes the same confirms on, and lasts from when it was asked for", () => {
  const replica = new Membership("a", LEASE);
  assert.equal(replica.safeUntil, -Infinity);
  assert.ok(replica.mustPublish);
  replica.renewed(["a"], 0, 0);
  replica.observe([], 0, 0);
  replica.renewed(["a"], 500, 600);
  assert.ok(replica.owns("s", 600), "without another listing");
  assert.equal(replica.safeUntil, 500 + LEASE * 0.8);
});

test("what a replica that is gone had is not polled before that view is published", () => {
  const replica = new Membership("a", LEASE);
  const source = SOURCES.find((name) => new Rendezvous(["a", "b"]).winner(name) === "b") as string;
  const both = ["a", "b"];
  const peers = [{ id: "b", stamp: "1", view: both }];
  replica.observe(peers, 0, 0);
  replica.renewed(both, 1, 1);
  replica.observe(peers, 2, 2);
  assert.equal(replica.owns(source, 2), false);
  replica.observe([], 3, 3);
  assert.deepEqual(replica.view, ["a"]);
  assert.equal(replica.owns(source, 3), false);
  replica.renewed(["a"], 4, 4);
  assert.equal(replica.owns(source, 4), false, "the others were not read after it");
  replica.observe([], 5, 5);
  assert.ok(replica.owns(source, 5));
});

test("what expires is what was not renewed for so long, and never a replica's own Lease", () => {
  const replica = new Membership("a", LEASE);
  const peers = [{ id: "a", stamp: "1", view: ["a"] }, { id: "b", stamp: "1", view: ["b"] }];
  replica.observe(peers, 0, 100);
  assert.deepEqual(replica.expired(99 + LEASE, LEASE), []);
  assert.deepEqual(replica.expired(100 + LEASE, LEASE), ["b"]);
  replica.observe([{ id: "b", stamp: "2", view: ["b"] }], 200, 200);
  assert.deepEqual(replica.expired(199 + LEASE, LEASE), []);
});
