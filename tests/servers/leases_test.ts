// Replicas that share sources by Leases of the real API server: killed, frozen, cut off, edited by hand.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { LeaseOwner } from "@koprs/external/kubernetes";
import type { LeaseWorkerLine, LeaseWorkerOptions } from "./_lease_worker.ts";
import { mount, trusting } from "./_pod.ts";
import { type KubernetesServer, missingKubernetes, startKubernetes } from "./kubernetes.ts";

const skip = await missingKubernetes() ?? false;
const NAMESPACE = "shop";
const LEASES = `/apis/coordination.k8s.io/v1/namespaces/${NAMESPACE}/leases`;
const LEASE_SECONDS = 2;
const SOURCES = Array.from({ length: 30 }, (_, i) => `source-${i}`);
/** A worker that told nothing for so long was frozen: what it last told ends there. */
const FROZEN = 300;

interface Owned {
  readonly worker: Worker;
  readonly from: number;
  readonly to: number;
}

/** A replica in a process of its own, and what it told. */
class Worker {
  readonly lines: LeaseWorkerLine[] = [];
  readonly #child: ChildProcess;
  readonly #waiting: Set<() => void> = new Set();

  constructor(options: LeaseWorkerOptions) {
    const file = fileURLToPath(new URL("./_lease_worker.ts", import.meta.url));
    const flags = process.versions.deno === undefined ? [] : ["run", "-A", "--no-check"];
    this.#child = spawn(process.execPath, [...flags, file, JSON.stringify(options)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    createInterface({ input: this.#child.stdout as NodeJS.ReadableStream }).on("line", (line) => {
      this.lines.push(JSON.parse(line));
      for (const look of this.#waiting) look();
    });
  }

  get owned(): readonly number[] {
    return this.lines.at(-1)?.owned ?? [];
  }

  /** Resolves once what it tells is so. */
  until(holds: (owned: readonly number[]) => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (this.lines.length === 0 || !holds(this.owned)) return;
        this.#waiting.delete(look);
        resolve();
      };
      this.#waiting.add(look);
      look();
    });
  }

  signal(signal: NodeJS.Signals): void {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    process.kill(this.#child.pid as number, signal);
  }

  ended(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#child.exitCode !== null || this.#child.signalCode !== null) resolve();
      else this.#child.once("exit", () => resolve());
    });
  }
}

/** When a worker owned a source, moment by moment. */
function times(worker: Worker, source: number): Owned[] {
  const found: Owned[] = [];
  let from: number | undefined;
  let last = 0;
  for (const { at, owned } of worker.lines) {
    if (from !== undefined && (!owned.includes(source) || at - last > FROZEN)) {
      found.push({ worker, from, to: last });
      from = undefined;
    }
    if (owned.includes(source)) from ??= at;
    last = at;
  }
  if (from !== undefined) found.push({ worker, from, to: last });
  return found;
}

/** No source was two workers' at once. Returns the longest time that one was nobody's, in ms. */
function check(workers: readonly Worker[]): number {
  let silence = 0;
  SOURCES.forEach((name, source) => {
    const owned = workers.flatMap((worker) => times(worker, source)).sort((a, b) =>
      a.from - b.from
    );
    for (let i = 1; i < owned.length; i++) {
      const [a, b] = [owned[i - 1] as Owned, owned[i] as Owned];
      silence = Math.max(silence, b.from - a.to);
      if (a.worker === b.worker) continue;
      assert.ok(b.from >= a.to, `${name} was two workers' for ${a.to - b.from} ms`);
    }
  });
  return silence;
}

describe("replicas share sources", { skip }, () => {
  let server: KubernetesServer;
  let options: Omit<LeaseWorkerOptions, "group">;
  const all: Worker[] = [];
  const start = (group: string) => {
    const worker = new Worker({ ...options, group });
    all.push(worker);
    return worker;
  };
  const someOf = (owned: readonly number[]) => owned.length > 0 && owned.length < SOURCES.length;
  const allOf = (owned: readonly number[]) => owned.length === SOURCES.length;

  before(async () => {
    server = await startKubernetes();
    await server.createNamespace(NAMESPACE);
    await server.createServiceAccount(NAMESPACE, "operator", [{
      apiGroups: ["coordination.k8s.io"],
      resources: ["leases"],
      verbs: ["create", "list", "get", "update", "delete"],
    }]);
    await server.createServiceAccount(NAMESPACE, "nobody", []);
    const folder = join(server.apiServer.folder, "operator");
    await mount(server, folder, await server.createToken(NAMESPACE, "operator"), NAMESPACE);
    options = {
      folder,
      ca: server.ca,
      namespace: NAMESPACE,
      leaseSeconds: LEASE_SECONDS,
      sources: SOURCES,
    };
  });
  after(async () => {
    for (const worker of all) {
      worker.signal("SIGKILL");
      await worker.ended();
    }
    await server?.stop();
  });

  test("one has all; who joins gets its share, who ends gives it back at once", async (t) => {
    const first = start("join");
    await first.until(allOf);
    const second = start("join");
    await Promise.all([first.until(someOf), second.until(someOf)]);
    const third = start("join");
    await third.until(someOf);
    third.signal("SIGTERM");
    await third.ended();
    await first.until((owned) => owned.length + second.owned.length === SOURCES.length);
    const silence = check([first, second, third]);
    t.diagnostic(`the longest that a source was nobody's: ${silence} ms`);
    assert.ok(silence < LEASE_SECONDS * 1000, `${silence}`);
    const { body } = await server.request("GET", LEASES);
    assert.equal(body.items.length, 2, "the lease of who ended is gone");
  });

  for (const method of ["POST", "PUT"]) {
    test(`one that ends while it waits for the answer to a ${method} leaves no Lease`, async () => {
      const asked = Promise.withResolvers<void>();
      const folder = join(server.apiServer.folder, "operator");
      const token = await server.createToken(NAMESPACE, "operator");
      const cluster = await mount(server, folder, token, NAMESPACE);
      const trusted = { ...cluster, ...trusting(server.ca) };
      const send = trusted.fetch ?? fetch;
      const slow: typeof fetch = async (input, init) => {
        const response = await send(input, init);
        if (init?.method !== method) return response;
        asked.resolve();
        return await new Promise((_, reject) =>
          init.signal?.addEventListener("abort", () => reject(init.signal?.reason))
        );
      };
      const group = `ends-${method.toLowerCase()}`;
      const options = { namespace: NAMESPACE, group, leaseSeconds: LEASE_SECONDS };
      const owner = new LeaseOwner({ ...trusted, fetch: slow }, { ...options, logger: false });
      await owner.changes[Symbol.asyncIterator]().next();
      await asked.promise;
      await owner.close();
      const label = encodeURIComponent(`external.koprs.dev/group=${group}`);
      const { body } = await server.request("GET", `${LEASES}?labelSelector=${label}`);
      assert.deepEqual(body.items, []);
    });
  }

  test("one that is killed loses its sources after a lease", async (t) => {
    const [first, second] = [start("kill"), start("kill")];
    await Promise.all([first.until(someOf), second.until(someOf)]);
    second.signal("SIGKILL");
    await second.ended();
    await first.until(allOf);
    t.diagnostic(`the longest that a source was nobody's: ${check([first, second])} ms`);
    const label = encodeURIComponent("external.koprs.dev/group=kill");
    let left = 2;
    while (left > 1) {
      const moments = first.lines.length;
      await first.until(() => first.lines.length > moments + 10);
      left = (await server.request("GET", `${LEASES}?labelSelector=${label}`)).body.items.length;
    }
    assert.equal(left, 1, "its Lease is taken away");
  });

  test("one that is frozen, and thaws after the others took over, has nothing", async () => {
    const [first, second] = [start("freeze"), start("freeze")];
    await Promise.all([first.until(someOf), second.until(someOf)]);
    second.signal("SIGSTOP");
    await first.until(allOf);
    const told = second.lines.length;
    second.signal("SIGCONT");
    await second.until(() => second.lines.length > told);
    assert.deepEqual(second.lines[told]?.owned, [], "its first look after the thaw");
    await second.until(someOf);
    check([first, second]);
  });

  test("the API server away: all go on for a while, stop, and share again when it is back", async () => {
    const [first, second] = [start("away"), start("away")];
    await Promise.all([first.until(someOf), second.until(someOf)]);
    await server.apiServer.kill();
    assert.ok(first.owned.length + second.owned.length === SOURCES.length, "not at once");
    await Promise.all([first.until(isEmpty), second.until(isEmpty)]);
    await server.apiServer.restart();
    await Promise.all([first.until(someOf), second.until(someOf)]);
    check([first, second]);
  });

  test("a Lease that somebody deletes or edits is made anew", async () => {
    const [first, second] = [start("hand"), start("hand")];
    await Promise.all([first.until(someOf), second.until(someOf)]);
    const label = encodeURIComponent("external.koprs.dev/group=hand");
    const { body } = await server.request("GET", `${LEASES}?labelSelector=${label}`);
    const [a, b] = body.items;
    await server.request("DELETE", `${LEASES}/${a.metadata.name}`);
    await server.request("PATCH", `${LEASES}/${b.metadata.name}`, {
      metadata: { annotations: { "external.koprs.dev/members": "nonsense" } },
    });
    const moments = first.lines.length + second.lines.length;
    await Promise.all(
      [first, second].map((worker) =>
        worker.until((owned) =>
          someOf(owned) && first.lines.length + second.lines.length > moments + 300
        )
      ),
    );
    assert.equal(first.owned.length + second.owned.length, SOURCES.length);
  });

  test("a role that forbids leases is said, and nothing is owned", async () => {
    const folder = join(server.apiServer.folder, "nobody");
    const cluster = await mount(
      server,
      folder,
      await server.createToken(NAMESPACE, "nobody"),
      NAMESPACE,
    );
    const told = Promise.withResolvers<string>();
    const owner = new LeaseOwner({ ...cluster, ...trusting(server.ca) }, {
      ...{ namespace: NAMESPACE, group: "forbidden", leaseSeconds: LEASE_SECONDS },
      logger: { debug() {}, info() {}, warn: told.resolve, error: told.resolve },
    });
    try {
      const changes = owner.changes[Symbol.asyncIterator]();
      await changes.next();
      assert.match(await told.promise, /403.*cannot create resource "leases".*no source is polled/);
      assert.equal(owner.owns("a"), false);
      assert.equal(owner.isHeld, false);
    } finally {
      await owner.close();
    }
  });
});

function isEmpty(owned: readonly number[]): boolean {
  return owned.length === 0;
}
