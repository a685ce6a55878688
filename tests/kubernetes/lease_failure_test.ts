// What a replica does and says when the API server cannot be reached, or somebody else changes its Lease.
import { LeaseOwner } from "@koprs/external/kubernetes";
import assert from "node:assert/strict";
import { test } from "node:test";
import { settle } from "../watch/_watch.ts";
import { ApiServer, json, type Seen } from "./_api_server.ts";
import { LEASES, SOURCES, withReplicas } from "./_replicas.ts";

const isPut = ({ method }: Seen) => method === "PUT";
const away = () => json(503, { message: "away" });

/** The methods of the requests for single Leases. */
function single(server: ApiServer): string[] {
  return server.requests.filter(({ path, method }) => method === "POST" || path !== LEASES)
    .map(({ method }) => method);
}

test("a replica that cannot renew keeps its sources for 0.8 of the lease, tries more often, and says so", () =>
  withReplicas(async ({ server, start, run }) => {
    const a = await start("a");
    const [lease] = [...server.objects.values()];
    const name = lease?.metadata.name;
    a.logs.length = 0;
    await run(4_000);
    server.instead = away;
    await run(7_900);
    assert.equal(a.owned.length, SOURCES.length);
    assert.equal(a.owner.isHeld, true);
    const why = `Cannot renew the lease '${name}': the API server answered 503: away`;
    assert.deepEqual(a.logs, [`warn ${why}: sources are kept for 7 s`]);
    assert.equal(server.requests.filter(isPut).length, 3, "after 5, 7.5 and 10 seconds");
    await run(200);
    assert.deepEqual([a.owned, a.owner.isHeld], [[], false]);
    const told = a.changes;
    await run(10_000);
    assert.deepEqual(a.logs.slice(1), [`error ${why}: no source is polled until it is renewed`]);
    assert.ok(a.changes > told);
    server.instead = () => undefined;
    await run(2_500);
    assert.equal(a.owned.length, SOURCES.length);
    assert.deepEqual(a.logs.slice(2), [`info The lease of '${a.owner.identity}' is renewed again`]);
    // From here on as before.
    const { length } = server.requests.filter(isPut);
    await run(10_000);
    assert.equal(server.requests.filter(isPut).length, length + 2);
    assert.equal(a.logs.length, 3);
  }));

test("a short failure moves no source, and its end is said", () =>
  withReplicas(async ({ server, start, run }) => {
    const a = await start("a");
    await run(4_000);
    server.instead = (request) => isPut(request) ? away() : undefined;
    await run(2_000);
    const told = a.changes;
    server.instead = () => undefined;
    await run(2_500);
    assert.equal(a.owned.length, SOURCES.length);
    assert.deepEqual(a.logs.slice(1).map((line) => line.split(" ")[0]), ["warn", "info"]);
    assert.match(a.logs.at(-1)!, /is renewed again$/);
    assert.ok(a.changes > told);
  }));

test("a replica that never reached the API server has nothing, and goes on trying", () =>
  withReplicas(async ({ server, start, run }) => {
    server.instead = () => Promise.reject(new TypeError("no route"));
    const a = await start("a");
    assert.deepEqual([a.owned, a.owner.isHeld], [[], false]);
    assert.equal(a.logs.length, 1);
    assert.match(a.logs[0]!, /^error .*no route.*: no source is polled until it is renewed$/);
    await run(6_000);
    assert.equal(a.logs.length, 1);
    server.instead = () => undefined;
    await run(2_000);
    assert.equal(a.owned.length, SOURCES.length);
  }));

for (const [leaseSeconds, limit] of [[15, 3_750], [60, 10_000]] as const) {
  test(`a renewal that hangs leaves time for another one: ${leaseSeconds} s`, () =>
    withReplicas(async ({ server, start, run }) => {
      const a = await start("a", { leaseSeconds });
      server.instead = (request) => isPut(request) ? new Promise(() => {}) : undefined;
      await run(leaseSeconds * 1_000 / 3 + limit - 100);
      assert.equal(a.logs.length, 1);
      await run(200);
      assert.match(a.logs[1]!, new RegExp(`within ${limit} ms.*: sources are kept for \\d+ s$`));
      server.instead = () => undefined;
      await run(leaseSeconds * 1_000 / 6);
      assert.equal(a.owned.length, SOURCES.length);
    }));
}

test("a lease of less than a second is said to last one", () =>
  withReplicas(async ({ server, start }) => {
    await start("a", { leaseSeconds: 0.3 });
    await start("b", { leaseSeconds: 2.1 });
    const [a, b] = server.requests.filter(({ method }) => method === "POST") as [Seen, Seen];
    assert.deepEqual([a.body.spec, b.body.spec].map((spec) => spec.leaseDurationSeconds), [1, 3]);
  }));

test("a Lease that somebody deleted is made anew, under another name", () =>
  withReplicas(async ({ server, start, run }) => {
    const a = await start("a");
    const [before] = [...server.objects.keys()];
    const { promise, resolve } = Promise.withResolvers<void>();
    await run(4_900);
    const told = a.changes;
    server.objects.clear();
    server.instead = async (request) => {
      if (request.method === "POST") await promise;
      return server.answer(request);
    };
    await run(200);
    assert.deepEqual(a.owned, [], "another one may have all by now");
    assert.equal(a.changes, told + 1);
    resolve();
    await run(100);
    const [after] = [...server.objects.keys()];
    assert.notEqual(after, before);
    assert.equal(server.objects.size, 1);
    assert.deepEqual(single(server), ["POST", "PUT", "POST"]);
    assert.equal(a.owned.length, SOURCES.length);
    assert.deepEqual(a.logs.slice(1), [
      `warn The lease of '${a.owner.identity}' was changed by another: its sources are shared again`,
    ]);
  }));

test("a Lease that somebody edited is written again, at its new version", () =>
  withReplicas(async ({ server, start, run }) => {
    const a = await start("a");
    const [[path, lease]] = [...server.objects] as [[string, { metadata: object }]];
    await run(1_000);
    const version = server.put(path, lease).metadata.resourceVersion;
    await run(5_000);
    assert.deepEqual(single(server), ["POST", "PUT", "GET", "PUT"]);
    assert.equal(server.requests.filter(isPut)[1]?.body.metadata.resourceVersion, version);
    assert.equal(a.owned.length, SOURCES.length);
    assert.match(a.logs[1]!, /^warn .* was changed by another/);
    // The next renewal is like any other.
    await run(5_000);
    assert.deepEqual(single(server).slice(4), ["PUT"]);
    assert.equal(a.logs.length, 2);
  }));

test("a Lease that another one holds, that is gone when it is read, or changes again, is given up", async () => {
  const ways: ((server: ApiServer, path: string) => void)[] = [
    (server, path) => void server.put(path, { metadata: {}, spec: { holderIdentity: "thief" } }),
    (server, path) => {
      server.put(path, { metadata: {} });
      server.instead = ({ method, path: asked }) => {
        if (method === "GET" && asked === path) server.objects.delete(path);
        return undefined;
      };
    },
    (server, path) => {
      const lease = server.objects.get(path)!;
      server.put(path, lease);
      server.instead = (request) => {
        if (isPut(request) && request.path === path) server.put(path, lease);
        return undefined;
      };
    },
  ];
  for (const change of ways) {
    await withReplicas(async ({ server, start, run }) => {
      const a = await start("a");
      const [path = ""] = [...server.objects.keys()];
      change(server, path);
      await run(5_100);
      assert.equal(single(server).filter((method) => method === "POST").length, 2);
      await run(16_000);
      assert.equal(a.owned.length, SOURCES.length);
      assert.equal(a.logs.filter((line) => line.startsWith("warn")).length, 1, String(a.logs));
    });
  }
});

for (const method of ["POST", "PUT", "GET"]) {
  test(`close ends the wait for the answer to a ${method}, and deletes the Lease`, () =>
    withReplicas(async ({ server, start, run }) => {
      const asked = Promise.withResolvers<void>();
      server.instead = (request) => {
        if (request.method !== method) return undefined;
        // The server does it, and its answer does not come.
        server.answer(request);
        asked.resolve();
        return new Promise(() => {});
      };
      const a = await start("a");
      if (method === "PUT") await run(5_100);
      await asked.promise;
      const logs = a.logs.length;
      await a.owner.close();
      assert.equal(server.objects.size, 0);
      assert.equal(server.requests.at(-1)?.method, "DELETE");
      assert.equal(server.requests.at(-1)?.body, undefined, "at any version");
      assert.equal(a.logs.length, logs);
    }));
}

test("a Lease that cannot be deleted at the end ends by itself, and one that is gone needs nothing", () =>
  withReplicas(async ({ server, start }) => {
    const [a, b] = [await start("a"), await start("b")];
    const name = server.requests[0]?.body.metadata.name;
    server.instead = ({ method }) => method === "DELETE" ? away() : undefined;
    await a.owner.close();
    assert.equal(
      a.logs.at(-1),
      `warn Cannot release the lease '${name}': Cannot delete the lease '${name}': ` +
        "the API server answered 503: away: it ends by itself",
    );
    server.instead = () => undefined;
    server.objects.clear();
    const logs = b.logs.length;
    await b.owner.close();
    assert.equal(b.logs.length, logs);
  }));

test("an owner can be closed by what it logs", async () => {
  const server = new ApiServer();
  const closed = Promise.withResolvers<void>();
  const none = () => {};
  const owner: LeaseOwner = new LeaseOwner(server.cluster, {
    ...{ namespace: "shop", group: "sources", leaseSeconds: 3_600 },
    logger: { debug: none, warn: none, error: none, info: () => closed.resolve(owner.close()) },
  });
  await owner.changes[Symbol.asyncIterator]().next();
  await closed.promise;
  assert.equal(server.objects.size, 0);
});

test("nothing is logged where that is not wanted", () =>
  withReplicas(async ({ server, start, run }) => {
    server.instead = away;
    const a = await start("a", { logger: false });
    server.instead = () => undefined;
    await run(5_000);
    await settle();
    assert.equal(a.owned.length, SOURCES.length);
    assert.deepEqual(a.logs, []);
  }));
