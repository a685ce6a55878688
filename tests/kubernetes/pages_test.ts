// Listing objects page by page: what is asked for, what comes of the answers, and what fails.
import { type Cluster, type KubernetesObject, kubernetesPages } from "@koprs/external/kubernetes";
import assert from "node:assert/strict";
import { test } from "node:test";
import { ApiServer, json } from "./_api_server.ts";

const PATH = "/api/v1/namespaces/shop/configmaps";

/** A server with so many objects. */
function serverOf(count: number): ApiServer {
  const server = new ApiServer();
  for (let i = 0; i < count; i++) server.put(`${PATH}/c${i}`, { metadata: {} });
  return server;
}

async function read(
  list: ReturnType<typeof kubernetesPages>,
  onRequest?: () => void,
): Promise<KubernetesObject[][]> {
  const { signal } = new AbortController();
  const pages: KubernetesObject[][] = [];
  for await (const page of list({ signal, ...(onRequest && { onRequest }) })) pages.push([...page]);
  return pages;
}

/** Answers one after the other, the last one again and again. */
function answering(...answers: Response[]): Cluster {
  const fetch = () =>
    Promise.resolve((answers.length > 1 ? answers.shift() : answers[0]?.clone())!);
  return { url: "https://cluster.test", fetch: fetch as typeof globalThis.fetch };
}

const listOf = (fields: object) => json(200, { kind: "ThingList", apiVersion: "v1", ...fields });

test("a list is read to its last page, and each request is counted", async () => {
  const server = serverOf(5);
  let requests = 0;
  const pages = await read(kubernetesPages(server.cluster, PATH, { limit: 2 }), () => requests++);
  assert.deepEqual(pages.map((page) => page.map(({ metadata }) => metadata.name)), [
    ["c0", "c1"],
    ["c2", "c3"],
    ["c4"],
  ]);
  assert.equal(requests, 3);
  assert.deepEqual(server.requests.map(({ query }) => String(query)), [
    "limit=2",
    "limit=2&continue=2",
    "limit=2&continue=4",
  ]);
});

test("items get the kind and version of their list, unless they have their own", async () => {
  const items = [{ metadata: { name: "a" } }, { kind: "Other", apiVersion: "x/v2" }];
  const [page] = await read(kubernetesPages(answering(listOf({ items })), PATH));
  assert.deepEqual(page, [
    { apiVersion: "v1", kind: "Thing", metadata: { name: "a" } },
    { kind: "Other", apiVersion: "x/v2" },
  ]);
});

test("selectors are sent with every page, and 500 objects are asked for unless told otherwise", async () => {
  const server = serverOf(0);
  await read(kubernetesPages(server.cluster, PATH, {
    labelSelector: "app=web,tier!=db",
    fieldSelector: "metadata.name=a",
  }));
  const [{ query, headers, method }] = server.requests as [typeof server.requests[number]];
  assert.deepEqual(Object.fromEntries(query), {
    limit: "500",
    labelSelector: "app=web,tier!=db",
    fieldSelector: "metadata.name=a",
  });
  assert.equal(method, "GET");
  assert.equal(headers["accept"], "application/json");
  assert.equal(headers["authorization"], "Bearer a token");
});

test("null for a list without items, and no 'continue' in any form, end the list", async () => {
  for (const metadata of [undefined, {}, { continue: null }, { continue: "" }]) {
    const cluster = answering(listOf({ metadata, items: null }), json(500, {}));
    assert.deepEqual(await read(kubernetesPages(cluster, PATH)), [[]]);
  }
});

test("what is not a list of objects fails as a breach of the protocol", async () => {
  const broken: [Response, RegExp][] = [
    [json(200, { kind: "ThingList" }), /the answer is not a list of objects$/],
    [json(200, { kind: "Thing", items: [] }), /the answer is not a list of objects$/],
    [json(200, { items: [] }), /the answer is not a list of objects$/],
    [new Response("<html>"), /as the answer is not JSON$/],
    [listOf({ items: [], metadata: { continue: 7 } }), /'continue' is not a string$/],
    [listOf({ items: [], metadata: { continue: "x" } }), /gave the same 'continue' twice$/],
  ];
  for (const [answer, message] of broken) {
    await assert.rejects(read(kubernetesPages(answering(answer), PATH)), {
      name: "ExternalError",
      code: "protocol",
      message,
    });
  }
});

test("a list that has expired begins again from its first page, once", async () => {
  const server = serverOf(4);
  let expired = 0, times = 1;
  server.instead = ({ query }) => {
    if (query.get("continue") !== "2" || expired === times) return undefined;
    expired++;
    return json(410, { message: "too old" });
  };
  const list = kubernetesPages(server.cluster, PATH, { limit: 2 });
  const names = (await read(list)).map((page) => page.map(({ metadata }) => metadata.name).join());
  assert.deepEqual(names, ["c0,c1", "c0,c1", "c2,c3"]);
  [expired, times] = [0, 2];
  await assert.rejects(read(list), { status: 410, message: /answered 410: too old$/ });
  // The first page cannot have expired.
  server.instead = () => json(410, { message: "too old" });
  server.requests.length = 0;
  await assert.rejects(read(list), { status: 410 });
  assert.equal(server.requests.length, 1);
});

test("what the API server says of a failure is in the error, with what may help", async () => {
  const rejected = async (answer: Response, expected: object) =>
    await assert.rejects(read(kubernetesPages(answering(answer), PATH)), {
      name: "ExternalError",
      code: "status",
      ...expected,
    });
  await rejected(json(403, { message: "user 'a' cannot list" }), {
    status: 403,
    message:
      `Cannot list '${PATH}': the API server answered 403: user 'a' cannot list: give the service account a role that allows it`,
  });
  await rejected(json(401, { message: "" }), {
    message: `Cannot list '${PATH}': the API server answered 401: check the token`,
  });
  await rejected(new Response("oops", { status: 500 }), {
    status: 500,
    message: `Cannot list '${PATH}': the API server answered 500`,
  });
  await rejected(json(500, { message: 7 }), { message: /answered 500$/ });
  await rejected(json(429, { message: "slow down" }, { "retry-after": "3" }), {
    status: 429,
    retryAfter: 3_000,
    message: /answered 429: slow down: its rate limit is used up, and resets in 3 s$/,
  });
  await rejected(json(302, {}), { status: 302 });
});

test("an abort ends the request under way with its reason, and a slow answer is a failure", async () => {
  const hanging: Cluster = { url: "https://cluster.test", fetch: () => new Promise(() => {}) };
  const controller = new AbortController();
  const reason = new Error("enough");
  const reading = kubernetesPages(hanging, PATH)({ signal: controller.signal })
    [Symbol.asyncIterator]().next();
  controller.abort(reason);
  await assert.rejects(reading, reason);
  await assert.rejects(read(kubernetesPages(hanging, PATH, { timeout: 5 })), {
    code: "timeout",
    message: /^Cannot poll 'https:\/\/cluster\.test'.*within 5 ms/,
  });
});

test("what cannot be used is refused at once", () => {
  const make = (path: unknown, options?: object) => () =>
    kubernetesPages(new ApiServer().cluster, path as string, options);
  for (const path of ["api/v1", "/api?x=1", "/api#x", 7, undefined]) {
    assert.throws(make(path), { name: "TypeError", message: /must begin with '\/'/ });
  }
  assert.throws(make(PATH, { limit: 1.5 }), { name: "RangeError", message: /a whole number/ });
  assert.throws(make(PATH, { limit: 0 }), RangeError);
  assert.throws(make(PATH, { limit: "1" }), TypeError);
  assert.throws(make(PATH, { timeout: 0 }), {
    name: "RangeError",
    message: /^Cannot list as 'timeout'/,
  });
  for (const cluster of [undefined, null, {}, { url: 7 }]) {
    assert.throws(() => kubernetesPages(cluster as never, PATH), {
      name: "TypeError",
      message: /no 'url'/,
    });
  }
});
