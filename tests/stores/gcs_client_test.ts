// What GcsStore asks of Google's client, and what it leaves to it.
import { Storage } from "@google-cloud/storage";
import assert from "node:assert/strict";
import { channel } from "node:diagnostics_channel";
import { mock, test } from "node:test";
import { GcsStore } from "../../stores/gcs.ts";
import { serve } from "../http/_http_server.ts";
import { failure, gcs, queryOf } from "./_clouds.ts";

test("the client's own word on tries counts where it says less", async (t) => {
  const { origin, requests } = await serve(t, (_request, response) => {
    response.writeHead(503).end("busy");
  });
  for (
    const [retryOptions, tries] of [[{ autoRetry: false }, 1], [{ maxRetries: 1 }, 2]] as const
  ) {
    const storage = new Storage({ apiEndpoint: origin, projectId: "p", retryOptions });
    const before = requests.length;
    await failure("store", new GcsStore(storage.bucket("place")).list().next());
    assert.equal(requests.length - before, tries, JSON.stringify(retryOptions));
  }
});

test("the project that pays is named in every request", async (t) => {
  const payers: (string | null)[] = [];
  const { origin } = await serve(t, (request, response) => {
    payers.push(queryOf(request).get("userProject"));
    request.resume().on("end", () => {
      response.setHeader("content-type", gcs.type);
      response.end(request.method === "GET" ? gcs.page([]) : gcs.writtenBody(1));
    });
  });
  const storage = new Storage({ apiEndpoint: origin, projectId: "p" });
  const store = new GcsStore(storage.bucket("place", { userProject: "payer" }));
  await store.list().next();
  await (await store.get("k")).cancel();
  await store.put("k", new Uint8Array());
  assert.deepEqual(payers, ["payer", "payer", "payer"]);
});

test("a key is one segment of the path, whatever it holds", async (t) => {
  const { origin, requests } = await serve(t, (_request, response) => response.end("content"));
  const store = gcs.store(origin);
  for (const key of ["a/b", "a/../b", "...", "a?b#c", "%2F", "é ", "\u0001"]) {
    await new Response(await store.get(key)).text();
    const [path = ""] = requests.at(-1)?.url.split("?") ?? [];
    assert.equal(decodeURIComponent(path.split("/").at(-1) ?? ""), key);
  }
});

test("a name of dots is refused, as a URL would lead elsewhere", async (t) => {
  const { origin, requests } = await serve(t, (_request, response) => response.end("{}"));
  for (const key of [".", ".."]) {
    await assert.rejects(gcs.store(origin).get(key), /cannot be reached by a URL/);
  }
  assert.equal(requests.length, 0);
});

test("a client of another shape is an error, and ends nothing", async () => {
  const bucket = { name: "place", requestStream: () => undefined, file: () => ({}) } as never;
  const store = new GcsStore(bucket);
  assert.match((await failure("store", store.list().next())).message, /gives no stream/);
  assert.match((await failure("store", store.get("k"))).message, /gives no stream/);
  assert.match((await failure("store", store.put("k", new Uint8Array()))).message, /save/);
});

test("a write that is given up is not tried again", async (t) => {
  const asked = Promise.withResolvers<void>();
  const { origin } = await serve(t, (request) => {
    request.resume().on("end", () => asked.resolve());
  });
  const bucket = new Storage({ apiEndpoint: origin, projectId: "p" }).bucket("place");
  const controller = new AbortController();
  const { signal } = controller;
  mock.timers.enable({ apis: ["setTimeout"] });
  t.after(() => mock.timers.reset());
  const writing = new GcsStore(bucket).put("k", new Uint8Array(), { ifNoneMatch: "*", signal });
  await asked.promise;
  const stop = new Error("enough");
  controller.abort(stop);
  await assert.rejects(writing, (error) => error === stop);
  // Between two tries its requests are looked for, and no time passes here that would end that.
  const start = channel("http.client.request.start");
  for (let i = 0; i < 1_000 && start.hasSubscribers; i++) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal(start.hasSubscribers, false);
});
