// Reading and writing objects through S3Store.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { GetOptions, PutOptions } from "@koprs/external/store";
import { S3Store } from "@koprs/external/stores/s3";
import { type Answer, countingSignal, failing, isFault, serving } from "./_s3_server.ts";

const timeout = 30_000;
const bytes = new TextEncoder().encode("content");

test("a read is streamed, and ends with its signal", { timeout }, async () => {
  const answer: Answer = (_query, response, request) => {
    if (request.url?.includes("short")) {
      response.writeHead(200, { "content-length": 100 });
      response.write("begin", () => response.destroy());
    } else {
      response.write("begin");
    }
  };
  await serving(answer, async ({ store }) => {
    const controller = new AbortController();
    const reader = (await store().get("a/ü b", { signal: controller.signal })).getReader();
    assert.equal(new TextDecoder().decode((await reader.read()).value), "begin");
    const reason = new Error("enough");
    const next = reader.read();
    controller.abort(reason);
    await assert.rejects(next, (error) => error === reason);
    await (await store().get("a")).cancel();
    const short = new Response(await store().get("short")).text();
    await assert.rejects(short, isFault("network", /get 'short' of 's3:\/\/bkt'/));
  });
});

test("the timeout holds up to where the content begins, and for each part that is waited for", {
  timeout,
}, async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const asked = Promise.withResolvers<void>();
  const gone = Promise.withResolvers<void>();
  const answer: Answer = (_query, response, request) => {
    if (request.url?.includes("never")) return asked.resolve();
    response.write("begin");
    if (request.url?.includes("whole")) response.end(", end");
    else response.on("close", () => gone.resolve());
  };
  await serving(answer, async ({ store }) => {
    const hurried = store({ timeout: 200 });
    const never = assert.rejects(
      hurried.get("never"),
      isFault("timeout", /'never'.*200 ms.*'timeout'/),
    );
    await asked.promise;
    t.mock.timers.tick(200);
    await never;

    const stalled = (await hurried.get("stalled")).getReader();
    t.mock.timers.tick(1_000); // a reader that takes its time is no server that does
    assert.equal(new TextDecoder().decode((await stalled.read()).value), "begin");
    t.mock.timers.tick(1_000);
    const next = assert.rejects(stalled.read(), isFault("timeout", /'stalled'.*200 ms/));
    await new Promise((resolve) => setImmediate(resolve)); // until the read waits
    t.mock.timers.tick(200);
    await next;
    await gone.promise;

    const whole = await hurried.get("whole");
    t.mock.timers.tick(1_000);
    assert.equal(await new Response(whole).text(), "begin, end");
  });
});

test("content of another ETag is refused, also where the server ignores the condition", {
  timeout,
}, async () => {
  let etag: string | undefined = '"1"';
  const answer: Answer = (_query, response) => {
    if (etag !== undefined) response.setHeader("etag", etag);
    response.end("content");
  };
  await serving(answer, async ({ requests, store }) => {
    const read = async (ifMatch?: string) =>
      await new Response(await store().get("a", { ...(ifMatch !== undefined && { ifMatch }) }))
        .text();
    for (const ifMatch of ['"1"', "1", "*", undefined]) {
      assert.equal(await read(ifMatch), "content");
      assert.equal(requests.at(-1)?.request.headers["if-match"], ifMatch);
    }
    await assert.rejects(read('"2"'), (error) => {
      assert.ok(isFault("store", /get 'a' of.*another ETag/)(error));
      return (error as { status?: number }).status === 412;
    });
    etag = undefined;
    assert.equal(await read('"2"'), "content");
  });
});

/** A client that keeps what it was asked, and answers so. */
function recording(answers: { get?: unknown; put?: (nth: number) => unknown } = {}) {
  const inputs: Record<string, unknown>[] = [];
  let puts = 0;
  const client = {
    listObjectsV2: () => Promise.resolve({ IsTruncated: false }),
    getObject: (input: object) => {
      inputs.push({ ...input });
      return Promise.resolve(answers.get ?? {}) as Promise<object>;
    },
    putObject: (input: object) => {
      inputs.push({ ...input });
      return Promise.resolve(answers.put?.(++puts) ?? { ETag: '"new"' }) as Promise<object>;
    },
  };
  return { client, inputs };
}

test("conditions, and who pays and owns, are sent", async () => {
  const { client, inputs } = recording();
  const options = { requestPayer: "requester", expectedBucketOwner: "1" } as const;
  const store = new S3Store(client, "bkt", options);
  const all = { Bucket: "bkt", Key: "k", RequestPayer: "requester", ExpectedBucketOwner: "1" };
  await store.get("k");
  await store.get("k", { ifMatch: '"1"' });
  assert.deepEqual(await store.put("k", bytes), { etag: '"new"' });
  await store.put("k", bytes, { ifMatch: '"1"' });
  await store.put("k", bytes, { ifNoneMatch: "*" });
  await new S3Store(client, "bkt").put("k", bytes);
  assert.deepEqual(inputs, [
    all,
    { ...all, IfMatch: '"1"' },
    { ...all, Body: bytes },
    { ...all, Body: bytes, IfMatch: '"1"' },
    { ...all, Body: bytes, IfNoneMatch: "*" },
    { Bucket: "bkt", Key: "k", Body: bytes },
  ]);
  await assert.rejects(store.get(""), TypeError);
  await assert.rejects(store.put(undefined as unknown as string, bytes), TypeError);
});

test("a condition that does not hold is 412, however the server says so", async () => {
  const answer = (status: number, name: string) =>
    Promise.reject(Object.assign(new Error(name), { name, $metadata: { httpStatusCode: status } }));
  const put = (error: () => unknown, options: PutOptions) => {
    const { client, inputs } = recording({ put: error });
    return { inputs, result: new S3Store(client, "bkt").put("k", bytes, options) };
  };
  const statusOf = (promise: Promise<unknown>) =>
    promise.then(() => undefined, (error) => {
      assert.ok(isFault("store", /put 'k' into/)(error), String(error));
      return error.status;
    });
  const match = { ifMatch: '"1"' };
  const none = { ifNoneMatch: "*" } as const;
  const cases: (readonly [number, string, PutOptions, number])[] = [
    [412, "PreconditionFailed", match, 412],
    [412, "PreconditionFailed", none, 412],
    [404, "NoSuchKey", match, 412],
    [404, "NoSuchKey", none, 404],
    [404, "NoSuchKey", {}, 404],
    [404, "NoSuchBucket", match, 404],
    [409, "ConditionalRequestConflict", match, 412],
    [409, "ConditionalRequestConflict", none, 412],
    [409, "OperationAborted", {}, 409],
    [500, "InternalError", match, 500],
  ];
  for (const [status, name, options, expected] of cases) {
    const { inputs, result } = put(() => answer(status, name), options);
    assert.equal(await statusOf(result), expected, `${status} ${name} ${JSON.stringify(options)}`);
    assert.equal(inputs.length, status === 409 && expected === 412 ? 3 : 1, name);
  }
});

test("a conditional write that another one crossed is tried again", async () => {
  const conflict = Object.assign(new Error("crossed"), { $metadata: { httpStatusCode: 409 } });
  const { client, inputs } = recording({
    put: (nth) => nth < 3 ? Promise.reject(conflict) : { ETag: '"3"' },
  });
  const result = await new S3Store(client, "bkt").put("k", bytes, { ifMatch: '"1"' });
  assert.deepEqual(result, { etag: '"3"' });
  assert.deepEqual(inputs[2], inputs[0]);
});

test("a client that does not heed its signal is left at once, and what it gives late is freed", {
  timeout,
}, async () => {
  const late = Promise.withResolvers<{ Body: { transformToWebStream(): ReadableStream } }>();
  const freed = Promise.withResolvers<void>();
  const store = new S3Store({
    listObjectsV2: () => new Promise(() => {}),
    getObject: () => late.promise,
    putObject: () => new Promise(() => {}),
  }, "bkt");
  const aborting: (readonly [string, (signal: AbortSignal) => Promise<unknown>])[] = [
    ["get", (signal) => store.get("k", { signal })],
    ["put", (signal) => store.put("k", new Uint8Array(), { signal })],
    ["list", (signal) => Array.fromAsync(store.list({ signal }))],
  ];
  for (const [what, begin] of aborting) {
    const abort = new AbortController();
    const reason = new Error("enough");
    const begun = begin(abort.signal);
    abort.abort(reason);
    await assert.rejects(begun, (error) => error === reason, what);
  }
  late.resolve({
    Body: { transformToWebStream: () => new ReadableStream({ cancel: () => freed.resolve() }) },
  });
  await freed.promise;
});

test("nothing is left on the caller's signal, nor any connection", { timeout }, async () => {
  const broken = failing(400, "InvalidRequest");
  const unwanted = Promise.withResolvers<void>();
  const answer: Answer = (query, response, request) => {
    if (request.url?.includes("broken")) return broken(query, response, request);
    if (request.url?.includes("etag")) {
      response.setHeader("etag", '"1"');
      response.on("close", () => unwanted.resolve());
    }
    if (request.method === "PUT" || query.has("list-type")) {
      return void response.end(
        "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>",
      );
    }
    response.write("begin");
    if (request.url?.includes("whole")) response.end();
    if (request.url?.includes("cut")) setImmediate(() => response.destroy());
  };
  await serving(answer, async ({ client, connections, store }) => {
    const { signal, abort, count } = countingSignal();
    const read = async (key: string, options?: GetOptions) =>
      await new Response(await store().get(key, { signal, ...options })).text();
    await Array.fromAsync(store().list({ signal }));
    for await (const _ of store().list({ signal })) break;
    await assert.rejects(Array.fromAsync(new S3Store(client, "broken").list({ signal })));
    assert.equal(count(), 0);
    await store().put("whole", bytes, { signal });
    await assert.rejects(store().put("broken", bytes, { signal }));
    assert.equal(count(), 0);
    await read("whole");
    await assert.rejects(read("broken"));
    await assert.rejects(read("cut"));
    await assert.rejects(read("etag", { ifMatch: '"2"' }), { status: 412 });
    await unwanted.promise;
    assert.equal(count(), 0);
    const left = await store().get("endless", { signal });
    assert.equal(count(), 1);
    await left.cancel();
    assert.equal(count(), 0);
    const aborted = read("endless");
    const waiting = (await store().get("endless", { signal })).getReader();
    await waiting.read();
    abort(new Error("enough"));
    await assert.rejects(aborted, /enough/);
    await assert.rejects(waiting.read(), /enough/);
    await assert.rejects(store().get("whole", { signal }), /enough/);
    await assert.rejects(store().put("whole", bytes, { signal }), /enough/);
    assert.equal(count(), 0);
    // What is still open can be used again: no answer is left unread.
    client.destroy();
    while (await connections() > 0) await new Promise((resolve) => setImmediate(resolve));
  });
});
