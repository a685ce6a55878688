// One replica: shares sources by a LeaseOwner, and tells on stdout, every 20 ms, which it may poll.
import process from "node:process";
import { type Cluster, inCluster, LeaseOwner } from "@koprs/external/kubernetes";
import { trusting } from "./_pod.ts";

/** What a worker is told, as JSON in its first argument. */
export interface LeaseWorkerOptions {
  readonly folder: string;
  readonly ca: string;
  readonly group: string;
  readonly namespace: string;
  readonly leaseSeconds: number;
  readonly sources: readonly string[];
}

/** What a worker tells: when, by the clock of the machine, and the indices of its sources. */
export interface LeaseWorkerLine {
  readonly at: number;
  readonly owned: readonly number[];
}

const options: LeaseWorkerOptions = JSON.parse(process.argv[2] ?? "{}");
const { folder, ca, group, namespace, leaseSeconds, sources } = options;
const cluster: Cluster = inCluster({ folder, ...trusting(ca) });
const owner = new LeaseOwner(cluster, {
  ...{ namespace, group, leaseSeconds, identity: `worker-${process.pid}` },
  logger: {
    debug: () => {},
    info: (text) => console.error(text),
    warn: (text) => console.error(text),
    error: (text) => console.error(text),
  },
});

process.on("SIGTERM", async () => {
  await owner.close();
  process.exit(0);
});

const timer = setInterval(() => {
  const owned = sources.flatMap((source, i) => owner.owns(source) ? [i] : []);
  const line: LeaseWorkerLine = { at: Date.now(), owned };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}, 20);
for await (const _ of owner.changes);
clearInterval(timer);
