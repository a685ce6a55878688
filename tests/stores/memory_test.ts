import { ExternalError } from "@koprs/external/error";
import type { ObjectMeta } from "@koprs/external/store";
import { MemoryStore } from "@koprs/external/stores/memory";
import assert from "node:assert/strict";
import { mock, test } from "node:test";

async function keysOf(pages: AsyncIterable<readonly ObjectMeta[]>): Promise<string[]> {
  const keys: string[] = [];
  for await (const page of pages) keys.push(...page.map(({ key }) => key));
  return keys;
}

function isStatus(status: number): (error: unknown) => boolean {
  return (error) =>
    error instanceof ExternalError && error.code === "store" && error.status === status &&
    error.source === "memory://" && !error.message.endsWith(".");
}

test("keys are listed in UTF-8 byte order, which is not that of UTF-16", async () => {
  const store = new MemoryStore();
  for (const key of ["\u{10000}", "\uffff", "b", "a/b", "a", "", "\ud800"]) {
    await store.put(key, "");
  }
  const keys = await keysOf(store.list());
  assert.deepEqual(keys, ["", "a", "a/b", "b", "\ud800", "\uffff", "\u{10000}"]);
});

test("pages hold pageSize objects, the last one the rest", async () => {
  const store = new MemoryStore({ pageSize: 2 });
  assert.deepEqual(await Array.fromAsync(store.list()), []);
  for (const key of ["a", "b", "c"]) await store.put(key, "");
  assert.deepEqual((await Array.fromAsync(store.list())).map((page) => page.length), [2, 1]);
  await store.delete("c");
  assert.deepEqual((await Array.fromAsync(store.list())).map((page) => page.length), [2]);
});

test("a range leaves out `after` and takes in `until`, also within a prefix", async () => {
  const store = new MemoryStore({ pageSize: 2 });
  for (const key of ["a", "b/1", "b/2", "b/3", "c"]) await store.put(key, "");
  assert.deepEqual(await keysOf(store.list({ after: "a", until: "b/2" })), ["b/1", "b/2"]);
  assert.deepEqual(await keysOf(store.list({ prefix: "b", after: "b/1" })), ["b/2", "b/3"]);
  assert.deepEqual(await keysOf(store.list({ after: "a+", until: "b/15" })), ["b/1"]);
  assert.deepEqual(await keysOf(store.list({ after: "c" })), []);
});

test("a listing shows the store as it was when the listing began", async () => {
  const store = new MemoryStore({ pageSize: 1 });
  for (const key of ["a", "b"]) await store.put(key, "1");
  const pages = store.list();
  const first = await pages.next();
  await store.put("b", "22");
  await store.put("c", "3");
  const rest = await Array.fromAsync(pages);
  assert.deepEqual([first.value, ...rest].flat().map((object) => [object?.key, object?.size]), [
    ["a", 1],
    ["b", 1],
  ]);
});

test("the ETag changes with the content and with nothing else", async () => {
  mock.timers.enable({ apis: ["Date"], now: 1_000 });
  try {
    const store = new MemoryStore();
    const first = await store.put("a", "same size");
    mock.timers.tick(500);
    assert.deepEqual(await store.put("a", new TextEncoder().encode("same size")), first);
    const [[listed] = []] = await Array.fromAsync(store.list());
    assert.deepEqual(listed, { key: "a", size: 9, etag: first.etag, lastModified: 1_500 });
    assert.notEqual((await store.put("a", "SAME SIZE")).etag, first.etag);
  } finally {
    mock.timers.reset();
  }
});

test("bytes are copied on the way in and on the way out", async () => {
  const store = new MemoryStore();
  const bytes = new Uint8Array([1, 2, 3]);
  const write = store.put("a", bytes.subarray(1));
  bytes.fill(9);
  await write;
  for (let i = 0; i < 2; i++) {
    const got = new Uint8Array(await new Response(await store.get("a")).arrayBuffer());
    assert.deepEqual(got, new Uint8Array([2, 3]));
    const reader = (await store.get("a")).getReader();
    (await reader.read()).value?.fill(9);
  }
});

test("get rejects for a missing key and for another ETag", async () => {
  const store = new MemoryStore();
  await assert.rejects(store.get("a"), isStatus(404));
  const { etag } = await store.put("a", "1");
  await store.get("a", { ifMatch: etag });
  await store.put("a", "2");
  await assert.rejects(store.get("a", { ifMatch: etag }), isStatus(412));
});

test("a write whose condition does not hold rejects and writes nothing", async () => {
  const store = new MemoryStore();
  await assert.rejects(store.put("a", "0", { ifMatch: '"x"' }), isStatus(412));
  assert.deepEqual(await keysOf(store.list()), []);
  const { etag } = await store.put("a", "1", { ifNoneMatch: "*" });
  await assert.rejects(store.put("a", "2", { ifNoneMatch: "*" }), isStatus(412));
  await store.put("a", "3", { ifMatch: etag });
  await assert.rejects(store.put("a", "4", { ifMatch: etag }), isStatus(412));
  assert.equal(await new Response(await store.get("a")).text(), "3");
});

test("an error says what was to be done, and why it was not", async () => {
  const store = new MemoryStore({ name: "memory://mine" });
  await store.put("a", "1");
  const told = async (promise: Promise<unknown>) => {
    const error = await promise.then(() => undefined, (thrown) => thrown);
    assert(error instanceof ExternalError);
    assert.equal(error.source, "memory://mine");
    return error.message;
  };
  const other = { ifMatch: '"x"' };
  const into = "in 'memory://mine' as";
  const changed = "it changed: its ETag is another one";
  assert.equal(await told(store.get("b")), `Cannot get 'b' ${into} it does not exist`);
  assert.equal(await told(store.get("a", other)), `Cannot get 'a' ${into} ${changed}`);
  assert.equal(await told(store.put("b", "", other)), `Cannot put 'b' ${into} it does not exist`);
  assert.equal(await told(store.put("a", "", other)), `Cannot put 'a' ${into} ${changed}`);
  const none = { ifNoneMatch: "*" } as const;
  assert.equal(await told(store.put("a", "", none)), `Cannot put 'a' ${into} it exists already`);
});

test("an object without content is an empty stream", async () => {
  const store = new MemoryStore();
  await store.put("a", "");
  assert.equal((await (await store.get("a")).getReader().read()).done, true);
});

test("writes take effect in the order in which they were asked for", async () => {
  const store = new MemoryStore();
  const long = "x".repeat(1_000_000);
  const writes = [store.put("a", long), store.put("a", "1"), store.delete("b"), store.put("b", "")];
  const [, , deleted] = await Promise.all([...writes, store.delete("c")]);
  assert.equal(deleted, false);
  assert.deepEqual(await keysOf(store.list()), ["a", "b"]);
  assert.equal(await new Response(await store.get("a")).text(), "1");
});

test("of two writers with the same condition one wins", async () => {
  const store = new MemoryStore();
  const results = await Promise.allSettled([
    store.put("a", "1", { ifNoneMatch: "*" }),
    store.put("a", "2", { ifNoneMatch: "*" }),
  ]);
  assert.deepEqual(results.map(({ status }) => status), ["fulfilled", "rejected"]);
});

test("an aborted signal stops every call with its reason", async () => {
  const store = new MemoryStore({ pageSize: 1 });
  for (const key of ["a", "b"]) await store.put(key, key);
  const controller = new AbortController();
  const { signal } = controller;
  const pages = store.list({ signal });
  await pages.next();
  const stream = await store.get("a", { signal });
  const reason = new Error("enough");
  controller.abort(reason);
  const isReason = (error: unknown) => error === reason;
  await assert.rejects(pages.next(), isReason);
  await assert.rejects(stream.getReader().read(), isReason);
  await assert.rejects(store.get("a", { signal }), isReason);
  await assert.rejects(store.put("c", "", { signal }), isReason);
  await assert.rejects(store.list({ signal }).next(), isReason);
  assert.deepEqual(await keysOf(store.list()), ["a", "b"]);
});

test("an abort while the ETag is made stops a write", async () => {
  const store = new MemoryStore();
  const controller = new AbortController();
  const { signal } = controller;
  let checks = 0;
  // Looked at before the digest: the abort comes while that is under way.
  Object.defineProperty(signal, "throwIfAborted", {
    value() {
      if (checks++ === 0) queueMicrotask(() => controller.abort("enough"));
      AbortSignal.prototype.throwIfAborted.call(signal);
    },
  });
  await assert.rejects(store.put("a", "1", { signal }), (error) => error === "enough");
  assert.ok(checks > 1);
  assert.deepEqual(await keysOf(store.list()), []);
  assert.equal((await store.put("a", "2")).etag.length, 34);
});

test("wrong options are refused", () => {
  for (const pageSize of [-1, 1.5, NaN, Infinity]) {
    assert.throws(() => new MemoryStore({ pageSize }), RangeError);
  }
  assert.throws(() => new MemoryStore({ name: "a\nb" }), TypeError);
  assert.throws(() => new MemoryStore({ pageSize: 0 }), RangeError);
  assert.throws(() => new MemoryStore({ pageSize: "1" as unknown as number }), TypeError);
  assert.throws(() => new MemoryStore({ name: 1 as unknown as string }), TypeError);
  assert.equal(new MemoryStore({ name: "memory://tests" }).name, "memory://tests");
});
