/** Replicas that share sources by the Leases of an API server in memory, on a clock moved by hand. */
import { LeaseOwner, type LeaseOwnerOptions } from "@koprs/external/kubernetes";
import assert from "node:assert/strict";
import { mock } from "node:test";
import { type Clock, settle, START, withClock } from "../watch/_watch.ts";
import { ApiServer } from "./_api_server.ts";

export const LEASES = "/apis/coordination.k8s.io/v1/namespaces/shop/leases";
export const SOURCES: readonly string[] = Array.from({ length: 40 }, (_, i) => `source-${i}`);

export interface Replica {
  readonly owner: LeaseOwner;
  readonly logs: string[];
  /** How often `changes` has yielded. */
  changes: number;
  /** Settles when `changes` has ended. */
  readonly ended: Promise<void>;
  /** The sources that it has now. */
  readonly owned: readonly string[];
}

export interface Setup {
  readonly clock: Clock;
  readonly server: ApiServer;
  /** Starts a replica with a lease of 15 s. */
  start(identity: string, options?: Partial<LeaseOwnerOptions>): Promise<Replica>;
  /** Lets time pass. At no moment a source is two replicas'. */
  run(ms: number): Promise<void>;
}

export function withReplicas(body: (setup: Setup) => Promise<void>): Promise<void> {
  return withClock(async (clock) => {
    const now = mock.method(performance, "now", () => Date.now() - START);
    const server = new ApiServer();
    const replicas: Replica[] = [];
    const turns = async () => {
      for (let i = 0; i < 3; i++) await settle();
    };
    try {
      await body({
        clock,
        server,
        async start(identity, options) {
          const replica = startReplica(server, identity, options);
          replicas.push(replica);
          await turns();
          return replica;
        },
        async run(ms) {
          for (let left = ms; left > 0; left -= 100) {
            await clock.tick(Math.min(left, 100));
            await turns();
            const owned = replicas.flatMap((replica) => replica.owned);
            assert.equal(new Set(owned).size, owned.length, "one source is two replicas'");
          }
        },
      });
      server.instead = () => undefined;
      await Promise.all(replicas.map(({ owner }) => owner.close()));
      await Promise.all(replicas.map(({ ended }) => ended));
      assert.equal(clock.timers, 0, "timers left");
    } finally {
      now.mock.restore();
    }
  });
}

function startReplica(
  server: ApiServer,
  identity: string,
  options?: Partial<LeaseOwnerOptions>,
): Replica {
  const logs: string[] = [];
  const log = (level: string) => (line: string) => void logs.push(`${level} ${line}`);
  const owner = new LeaseOwner(server.cluster, {
    namespace: "shop",
    group: "sources",
    identity,
    logger: { debug: log("debug"), info: log("info"), warn: log("warn"), error: log("error") },
    ...options,
  });
  const listen = async () => {
    for await (const _ of owner.changes) replica.changes++;
  };
  const replica: Replica = {
    owner,
    logs,
    changes: 0,
    ended: Promise.resolve().then(listen),
    get owned() {
      return SOURCES.filter((name) => owner.owns(name));
    },
  };
  return replica;
}
