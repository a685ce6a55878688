/**
 * A simulation: 100 replicas share 100,000 sources by `LeaseOwner`, on a virtual clock and with an API server without a
 * network. One replica joins, one is closed, one is killed. It reports the requests to the API server, how many sources
 * move, and how long a source is polled by no replica.
 *
 * Run: `deno run -A bench/replicas.ts [replicas] [sources]`.
 *
 * @module
 */
import process from "node:process";
import { LeaseOwner } from "@koprs/external/kubernetes";
import { Rendezvous } from "../_kubernetes/rendezvous.ts";
import { report, type Row, SMOKE } from "./_harness.ts";
import { LeaseServer, VirtualClock } from "./_virtual.ts";

const numbers = process.argv.slice(2).filter((word) => /^\d+$/.test(word)).map(Number);
const REPLICAS = numbers[0] ?? (SMOKE ? 10 : 100);
const SOURCES = numbers[1] ?? (SMOKE ? 1_000 : 100_000);
const LEASE_SECONDS = 15;
/** Milliseconds from a replica to the API server, and the same back. */
const LATENCY = 5;
/** How often it is checked which replica owns which source, in milliseconds. */
const STEP = 200;
/** How many sources are checked in every step: checking all of them would take hours. */
const SAMPLE = Math.min(SOURCES, 500);

interface Replica {
  readonly owner: LeaseOwner;
  isAlive: boolean;
}

const clock = new VirtualClock();
const server = new LeaseServer(clock, LATENCY);
const names = Array.from({ length: SOURCES }, (_, i) => `namespace-${i % 97}/source-${i}`);
const sample = names.filter((_, i) => i % Math.ceil(SOURCES / SAMPLE) === 0);
const replicas: Replica[] = [];
/** When each source of the sample last had an owner; no entry before its first. */
const ownedAt: Map<string, number> = new Map();
const lastOwner: Map<string, Replica> = new Map();
let silence = 0;
let started = 0;

function join(): Replica {
  const replica: Replica = {
    owner: new LeaseOwner(server.clusterFor(() => replica.isAlive), {
      namespace: "default",
      group: "bench",
      identity: `external-operator-7d9c5b8f4-${String(started++).padStart(5, "0")}`,
      leaseSeconds: LEASE_SECONDS,
      logger: false,
    }),
    isAlive: true,
  };
  replicas.push(replica);
  (async () => {
    for await (const _ of replica.owner.changes);
  })();
  return replica;
}

function remove(replica: Replica): void {
  replicas.splice(replicas.indexOf(replica), 1);
}

/** Finds the owner of each source of the sample, and how long one had none. */
function look(): void {
  for (const name of sample) {
    // Nearly always the owner is still the same.
    const last = lastOwner.get(name);
    let owner = last?.isAlive && replicas.includes(last) && last.owner.owns(name)
      ? last
      : undefined;
    owner ??= replicas.find((replica) => replica.owner.owns(name));
    const at = ownedAt.get(name);
    if (owner === undefined) {
      if (at !== undefined) silence = Math.max(silence, clock.now - at);
      continue;
    }
    ownedAt.set(name, clock.now);
    lastOwner.set(name, owner);
  }
}

async function run(ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= STEP) {
    await clock.run(Math.min(STEP, left));
    look();
  }
}

/** The owner of every source. Throws if a source has none, or if one of the sample has several. */
function owners(): Map<string, Replica> {
  const found = new Map<string, Replica>();
  const byId = new Map(replicas.map((replica) => [replica.owner.identity, replica]));
  const hashing = new Rendezvous(byId.keys());
  for (const name of names) {
    const owner = byId.get(hashing.winner(name) ?? "");
    if (owner?.owner.owns(name) !== true) throw new Error(`${name} is nobody's`);
    found.set(name, owner);
  }
  for (const name of sample) {
    const all = replicas.filter((replica) => replica.owner.owns(name));
    if (all.length !== 1) throw new Error(`${name} is ${all.length} replicas' at once`);
  }
  return found;
}

const QUIET = 3 * LEASE_SECONDS * 1000;
for (let i = 0; i < REPLICAS; i++) {
  join();
  // They do not all start at the same moment, as in a Deployment.
  await clock.run(200);
}
await run(QUIET);
let before = owners();

/** Measures how many sources move after something has happened to the replicas. */
async function after(what: string, happens: () => void | Promise<void>): Promise<Row> {
  silence = 0;
  const writes = server.writes;
  await happens();
  await run(QUIET);
  const now = owners();
  let moved = 0;
  for (const [name, owner] of now) if (before.get(name) !== owner) moved++;
  before = now;
  const share = SOURCES / Math.min(REPLICAS, replicas.length);
  return {
    what: `sources moved when a replica ${what}`,
    ours: `${moved.toLocaleString("en")} of ${SOURCES.toLocaleString("en")}`,
    rival: `${Math.round(share).toLocaleString("en")} the share of one`,
    ratio: moved / share,
    sense: "as much",
    budget: `≤ 1.2×; longest silence of a sample ${(silence / 1000).toFixed(1)} s, ${
      server.writes - writes
    } writes in ${QUIET / 1000} s`,
    met: moved <= 1.2 * share,
  };
}

const began = {
  writes: server.writes,
  lists: server.lists,
  bytes: server.listedBytes,
  at: clock.now,
};
silence = 0;
await run(QUIET);
const seconds = (clock.now - began.at) / 1000;
const perSecond = (count: number) => count / seconds;
const steady: Row = {
  what:
    `what ${REPLICAS} replicas write to the API server while nothing happens, a lease of ${LEASE_SECONDS} s`,
  ours: `${
    perSecond(server.writes - began.writes).toFixed(1)
  } a second, whatever the number of sources`,
  rival: `${
    (SOURCES * 3 / LEASE_SECONDS).toLocaleString("en")
  } a second with a Lease for each source`,
  ratio: SOURCES * 3 / LEASE_SECONDS / perSecond(server.writes - began.writes),
  sense: "less",
};
const reads: Row = {
  what: "what they read meanwhile",
  ours: `${perSecond(server.lists - began.lists).toFixed(1)} lists a second, ${
    (perSecond(server.listedBytes - began.bytes) / 1e6).toFixed(2)
  } MB/s`,
  rival: "",
};
const rows: Row[] = [steady, reads];
rows.push(await after("joins", () => void join()));
rows.push(
  await after("leaves in good order", async () => {
    const [replica] = replicas as [Replica];
    const closed = replica.owner.close();
    remove(replica);
    await run(10 * LATENCY);
    await closed;
  }),
);
rows.push(
  await after("is killed", () => {
    const [replica] = replicas as [Replica];
    replica.isAlive = false;
    remove(replica);
  }),
);
report(rows);
process.exit(process.exitCode);
