// The contents of a target: fetched, kept as copies, and compared with what was there.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { Contents } from "../../_cli/contents.ts";
import { type Options, parseOptions } from "../../_cli/options.ts";
import type { Item } from "../../_cli/report.ts";
import type { ExternalEvent } from "../../_diff/source.ts";
import { ExternalError } from "../../_errors/external_error.ts";
import type { ObjectStore } from "../../_listing/object_store.ts";
import { MemoryStore } from "../../stores/memory.ts";
import { temporaryFolder } from "./_program.ts";

const MIB = 1024 * 1024;
const { signal } = new AbortController();
const source = { name: "https://host/x?y", poll: () => Promise.resolve([]) };

function contentsOf(options: Partial<Options>, store?: ObjectStore) {
  const target = { source, ...(store !== undefined && { store }) };
  return new Contents(target, { ...parseOptions([]), ...options });
}

function event(type: ExternalEvent<Item>["type"], item: Item): ExternalEvent<Item> {
  return { type, item };
}

/** The content of an HTTP resource, under a key of its own. */
const web = (key: string, body: Uint8Array) => event("modified", { key, body });
const text = (content: string) => new TextEncoder().encode(content);

test("an item is known by its key, or by its address without what may be secret", () => {
  const contents = contentsOf({});
  assert.equal(contents.keyOf({ key: "a/b", url: "https://h/z" }), "a/b");
  assert.equal(contents.keyOf({ url: "https://h/z?s3cret" }), "h/z");
  assert.equal(contents.keyOf({}), "host/x");
});

test("nothing is fetched unless it is wanted", async () => {
  const store = new MemoryStore();
  store.get = () => Promise.reject(new Error("It was fetched"));
  assert.deepEqual(await contentsOf({}, store).take(event("added", { key: "a" }), signal), {});
  assert.deepEqual(await contentsOf({}, store).take(event("removed", { key: "a" }), signal), {});
  const comparing = contentsOf({ diff: true }, store);
  const large = event("added", { key: "a", size: MIB + 1 });
  assert.deepEqual(await comparing.take(large, signal), {});
  await assert.rejects(comparing.take(event("added", { key: "a", size: MIB }), signal));
});

test("a copy follows its object, to its end", async (t) => {
  const download = await temporaryFolder(t);
  const store = new MemoryStore();
  const contents = contentsOf({ download }, store);
  const file = join(download, "in", "a");
  for (const content of ["one", "two"]) {
    const { etag } = await store.put("in/a", content);
    const done = await contents.take(event("added", { key: "in/a", size: 3, etag }), signal);
    assert.deepEqual(done, { file });
    assert.equal(await readFile(file, "utf8"), content);
  }
  assert.deepEqual(await contents.take(event("removed", { key: "in/a" }), signal), {});
  assert.ok(!existsSync(file));
});

test("what has changed or gone since it was listed is left to the next poll", async (t) => {
  const download = await temporaryFolder(t);
  const store = new MemoryStore();
  const contents = contentsOf({ download, diff: true }, store);
  const missing = event("added", { key: "a", etag: '"1"' });
  assert.deepEqual(await contents.take(missing, signal), {});
  await store.put("a", "new");
  assert.deepEqual(await contents.take(missing, signal), {});
  assert.ok(!existsSync(join(download, "a")));
  // Without an ETag, whatever is there counts.
  assert.deepEqual(await contents.take(event("added", { key: "a" }), signal), {
    file: join(download, "a"),
  });
});

test("any other failure is one", async () => {
  const failures = [
    new ExternalError("store", "no", { status: 403 }),
    new ExternalError("network", "no"),
    Object.assign(new Error("no"), { status: 404 }),
  ];
  for (const failure of failures) {
    const store = new MemoryStore();
    store.get = () => Promise.reject(failure);
    const contents = contentsOf({ diff: true }, store);
    await assert.rejects(contents.take(event("added", { key: "a" }), signal), failure);
  }
  const store = new MemoryStore();
  await store.put("a", "a");
  const ended = AbortSignal.abort(new Error("ended"));
  const contents = contentsOf({ diff: true }, store);
  await assert.rejects(contents.take(event("added", { key: "a" }), ended), { message: "ended" });
});

test("the content of an HTTP resource is what came with its event", async (t) => {
  const download = await temporaryFolder(t);
  const contents = contentsOf({ download });
  const file = join(download, "host", "x");
  assert.deepEqual(await contents.take(event("added", { body: text("one") }), signal), { file });
  assert.equal(await readFile(file, "utf8"), "one");
  await contents.take(event("modified", {}), signal);
  assert.equal(await readFile(file, "utf8"), "");
});

test("a content is compared with the one before, and not with one that was removed", async () => {
  const contents = contentsOf({ diff: true }, new MemoryStore());
  const plain = contentsOf({ diff: true });
  assert.deepEqual(await plain.take(web("a", text("one")), signal), {});
  assert.deepEqual(await plain.take(web("b", text("other")), signal), {});
  assert.deepEqual(await plain.take(web("a", text("two")), signal), { diff: ["- one", "+ two"] });
  assert.deepEqual(await plain.take(web("a", text("two")), signal), { diff: [] });
  // What is no text is not compared, and is what the next one is compared with.
  assert.deepEqual(await plain.take(web("a", new Uint8Array([0xff])), signal), {});
  assert.deepEqual(await plain.take(web("a", text("two")), signal), {});
  await plain.take(event("removed", { key: "a" }), signal);
  assert.deepEqual(await plain.take(web("a", text("three")), signal), {});
  // An object that is not there has nothing to compare.
  assert.deepEqual(await contents.take(event("added", { key: "a" }), signal), {});
});

test("copies and differences are made together", async (t) => {
  const download = await temporaryFolder(t);
  const contents = contentsOf({ download, diff: true });
  const file = join(download, "a");
  await contents.take(web("a", text("one")), signal);
  assert.deepEqual(await contents.take(web("a", text("two")), signal), {
    file,
    diff: ["- one", "+ two"],
  });
});

test("64 MiB of contents are kept to compare with, and the oldest is left out", async () => {
  const block = new Uint8Array(MIB).fill(0xff);
  for (const [last, kept] of [[MIB - 10, true], [MIB - 9, false]] as const) {
    const contents = contentsOf({ diff: true });
    await contents.take(web("first", text("ten bytes!")), signal);
    for (let i = 0; i < 63; i++) await contents.take(web(`${i}`, block), signal);
    await contents.take(web("last", block.subarray(0, last)), signal);
    const { diff } = await contents.take(web("first", text("ten bytes?")), signal);
    assert.deepEqual(diff, kept ? ["- ten bytes!", "+ ten bytes?"] : undefined);
  }
});

test("a content that is replaced or removed makes room", async () => {
  const contents = contentsOf({ diff: true });
  const block = new Uint8Array(MIB).fill(0xff);
  await contents.take(web("first", text("one")), signal);
  for (let i = 0; i < 70; i++) await contents.take(web("same", block), signal);
  for (let i = 0; i < 70; i++) {
    await contents.take(web("gone", block), signal);
    await contents.take(event("removed", { key: "gone" }), signal);
  }
  assert.deepEqual(await contents.take(web("first", text("two")), signal), {
    diff: ["- one", "+ two"],
  });
});
