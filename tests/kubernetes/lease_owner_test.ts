// Replicas that join, leave and die. With processes, on the real API server: tests/servers/leases_test.ts.
import { LeaseOwner, type LeaseOwnerOptions } from "@koprs/external/kubernetes";
import assert from "node:assert/strict";
import { test } from "node:test";
import { pending } from "../watch/_watch.ts";
import { ApiServer, json, type Seen } from "./_api_server.ts";
import { LEASES, SOURCES, withReplicas } from "./_replicas.ts";

test("a replica makes a Lease with what the others need to know, and has all sources", () =>
  withReplicas(async ({ server, start }) => {
    const replica = await start("pod-1");
    const { identity } = replica.owner;
    assert.match(identity, /^pod-1-[0-9a-f]{8}$/);
    assert.deepEqual(server.requests.map(({ method, path }) => `${method} ${path}`), [
      `POST ${LEASES}`,
      `GET ${LEASES}`,
    ]);
    const [{ body }, { query }] = server.requests as [Seen, Seen];
    assert.match(body.metadata.name, /^sources-[0-9a-f]{8}-[0-9a-f]{4}$/);
    assert.match(body.spec.renewTime, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
    assert.deepEqual(body, {
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      metadata: {
        name: body.metadata.name,
        labels: { "external.koprs.dev/group": "sources" },
        annotations: { "external.koprs.dev/members": JSON.stringify([identity]) },
      },
      spec: {
        holderIdentity: identity,
        renewTime: body.spec.renewTime,
        leaseDurationSeconds: 15,
      },
    });
    assert.equal(query.get("labelSelector"), "external.koprs.dev/group=sources");
    assert.deepEqual(replica.owned, SOURCES);
    assert.equal(replica.owner.isHeld, true);
    assert.deepEqual(replica.logs, [`info The sources are shared by ${identity}`]);
    assert.equal(replica.changes, 2, "at the start, and with the first sources");
  }));

test("it renews three times in the length of a lease, and says nothing more", () =>
  withReplicas(async ({ server, start, run }) => {
    const replica = await start("a");
    await run(4_900);
    assert.equal(server.requests.length, 2);
    await run(10_100);
    const puts = server.requests.filter(({ method }) => method === "PUT");
    assert.deepEqual(puts.map(({ body }) => body.metadata.resourceVersion), ["1", "2", "3"]);
    assert.equal(server.requests.length, 8);
    assert.equal(replica.logs.length, 1);
    assert.equal(replica.owned.length, SOURCES.length);
    assert.equal(server.objects.size, 1);
  }));

test("replicas share, and one that closes lets go at once, for the others to take over", () =>
  withReplicas(async ({ server, start, run }) => {
    const a = await start("a");
    await run(1_000);
    const b = await start("b");
    assert.deepEqual(b.owned, [], "the other one has all, until it has read of the new one");
    await run(10_000);
    assert.ok(a.owned.length > 5 && b.owned.length > 5);
    assert.equal(a.owned.length + b.owned.length, SOURCES.length);
    const both = `info The sources are shared by ${a.owner.identity}, ${b.owner.identity}`;
    assert.equal(a.logs[1], both);
    await b.owner.close();
    await b.ended;
    assert.deepEqual([b.owned, b.owner.isHeld], [[], false]);
    assert.equal(server.objects.size, 1);
    await run(5_000);
    assert.equal(a.owned.length, SOURCES.length);
    assert.deepEqual(a.logs.slice(2), [`info The sources are shared by ${a.owner.identity}`]);
    const requests = server.requests.length;
    await b.owner.close();
    for await (const _ of b.owner.changes) assert.fail("a closed owner has nothing to say");
    assert.equal(server.requests.length, requests);
    assert.deepEqual(b.logs, [both]);
  }));

test("what another one gets is let go before that is published", () =>
  withReplicas(async ({ server, start, run }) => {
    const a = await start("a");
    const publishing = Promise.withResolvers<Response>();
    let told = 0;
    server.instead = ({ method, body }) => {
      if (method !== "PUT" || !body.metadata.annotations[VIEW].includes("other")) return undefined;
      return publishing.promise;
    };
    await run(1_000);
    told = a.changes;
    addLease(server, "other");
    await run(4_000);
    assert.ok(a.owned.length < SOURCES.length);
    assert.equal(a.changes, told + 1);
    publishing.reject(new Error("no answer"));
    await run(100);
  }));

const VIEW = "external.koprs.dev/members";

/** A Lease of a replica that does not renew it. */
function addLease(
  server: ApiServer,
  holderIdentity: unknown,
  view: unknown = [holderIdentity],
): string {
  const path = `${LEASES}/lease-of-${holderIdentity}`;
  server.put(path, {
    metadata: {
      labels: { "external.koprs.dev/group": "sources" },
      annotations: { [VIEW]: typeof view === "string" ? view : JSON.stringify(view) },
    },
    spec: { holderIdentity },
  });
  return path;
}

test("a replica that died loses its sources after a lease, and its Lease after another", () =>
  withReplicas(async ({ server, start, run }) => {
    const path = addLease(server, "dead");
    const version = server.objects.get(path)?.metadata.resourceVersion;
    const a = await start("a");
    await run(14_800);
    assert.ok(a.owned.length < SOURCES.length);
    await run(1_000);
    assert.equal(a.owned.length, SOURCES.length);
    await run(14_000);
    assert.ok(server.objects.has(path));
    await run(1_000);
    assert.equal(server.objects.has(path), false);
    const swept = server.requests.filter(({ method }) => method === "DELETE");
    assert.deepEqual(swept.map(({ body }) => body), [
      { preconditions: { resourceVersion: version } },
    ]);
    assert.equal(server.objects.size, 1, "its own is kept");
    assert.ok(a.logs.every((line) => line.startsWith("info The sources are shared by ")));
  }));

test("a dead replica whose Lease changes just before it is deleted keeps it", () =>
  withReplicas(async ({ server, start, run }) => {
    const path = addLease(server, "slow");
    const a = await start("a");
    server.instead = (request) => {
      if (request.method === "DELETE") addLease(server, "slow");
      return undefined;
    };
    await run(32_000);
    assert.ok(server.objects.has(path));
    assert.ok(a.logs.every((line) => line.startsWith("info ")), String(a.logs));
  }));

test("Leases that are no replica's, or of another group, do not count", () =>
  withReplicas(async ({ server, start }) => {
    addLease(server, undefined, []);
    addLease(server, "");
    addLease(server, "no-json", "nonsense");
    addLease(server, "no-list", { a: 1 });
    addLease(server, "no-names", [1]);
    server.put(`${LEASES}/other-group`, { metadata: {}, spec: { holderIdentity: "x" } });
    const a = await start("a");
    assert.equal(a.owned.length, SOURCES.length);
    assert.deepEqual(a.logs, [`info The sources are shared by ${a.owner.identity}`]);
  }));

test("members that change with every look are published five times, and then at the next renewal", () =>
  withReplicas(async ({ server, start, run }) => {
    let looks = 0;
    server.instead = ({ method, path }) => {
      if (method !== "GET" || path !== LEASES) return undefined;
      const id = `other-${looks++}`;
      const metadata = { name: id, resourceVersion: "1", annotations: { [VIEW]: `["${id}"]` } };
      return json(200, { items: [{ metadata, spec: { holderIdentity: id } }] });
    };
    await start("a");
    assert.equal(looks, 5);
    await run(4_000);
    assert.equal(looks, 5);
    await run(1_000);
    assert.equal(looks, 10);
  }));

test("a change is told to each who iterates, once for those that came together", () =>
  withReplicas(async ({ server, start, run }) => {
    const { owner } = await start("a");
    const changes = owner.changes[Symbol.asyncIterator]();
    assert.deepEqual(await changes.next(), { done: false, value: undefined });
    const next = changes.next();
    assert.ok(await pending(next));
    addLease(server, "other");
    await run(5_000);
    assert.deepEqual(await next, { done: false, value: undefined });
    const last = changes.next();
    await owner.close();
    while (!(await last).done) break;
    assert.equal((await changes.next()).done, true);
  }));

test("a change that comes while nobody waits for it is told at the next call", () =>
  withReplicas(async ({ server, start, run }) => {
    const { owner } = await start("a");
    const changes = owner.changes[Symbol.asyncIterator]();
    await changes.next();
    addLease(server, "other");
    await run(5_000);
    assert.equal(await pending(changes.next()), false);
    assert.ok(await pending(changes.next()), "once");
  }));

test("an iteration that waits ends with the owner, without another change", () =>
  withReplicas(async ({ start }) => {
    const { owner } = await start("a");
    const changes = owner.changes[Symbol.asyncIterator]();
    await changes.next();
    const next = changes.next();
    assert.ok(await pending(next));
    await owner[Symbol.asyncDispose]();
    assert.deepEqual(await next, { done: true, value: undefined });
  }));

test("an owner that never started makes no request, not even to close", async () => {
  const server = new ApiServer();
  const owner = new LeaseOwner(server.cluster, { namespace: "a", group: "b" });
  assert.match(owner.identity, /^replica-/);
  assert.equal(owner.isHeld, false);
  assert.equal(owner.owns("a"), false);
  await owner.close();
  await owner.close();
  assert.equal(server.requests.length, 0);
});

test("options that are wrong are refused", () => {
  const make = (options: object) => () =>
    new LeaseOwner(new ApiServer().cluster, {
      ...{ namespace: "a", group: "b" },
      ...options,
    } as LeaseOwnerOptions);
  for (const option of ["namespace", "group", "identity"]) {
    for (const value of ["", 7]) {
      assert.throws(make({ [option]: value }), {
        name: "TypeError",
        message: `Cannot share sources as '${option}' must be a string that is not empty`,
      });
    }
  }
  assert.throws(make({ namespace: undefined }), /'namespace' must be/);
  for (const group of ["A", "-a", "a-", "a.b", "a".repeat(41)]) {
    assert.throws(make({ group }), { name: "TypeError", message: /'group' must be a name of/ });
  }
  for (const group of ["a", "a-1", "a".repeat(40)]) make({ group })();
  assert.throws(make({ leaseSeconds: 0 }), RangeError);
  assert.throws(make({ leaseSeconds: "15" }), TypeError);
});
