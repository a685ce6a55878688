// LocalStore: what it is made of, its order, and reading files.
import { ObjectStorePoller } from "@koprs/external/store";
import { LocalStore } from "@koprs/external/stores/local";
import { testStore } from "@koprs/external/testing";
import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { mkdir, mkdtemp, readlink, rename, rm, stat, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { isStoreError, keysOf, linux, posix, withFolder, write } from "./_local.ts";

testStore("LocalStore", async () => {
  const folder = await mkdtemp(join(tmpdir(), "koprs-external-"));
  const root = join(folder, "root");
  await mkdir(root);
  return {
    store: new LocalStore(root),
    otherStore: new LocalStore(pathToFileURL(root)),
    put: (key, body) => write(root, key, body),
    delete: (key) => rm(`${root}/${key}`),
    accepts: (key) => posix && isPath(key),
    leavesSignals: true,
    vanish: () => rm(root, { recursive: true }),
    close: () => rm(folder, { recursive: true, force: true }),
  };
});

function isPath(key: string): boolean {
  return !key.includes("\0") &&
    key.split("/").every((name) =>
      name !== "" && name !== "." && name !== ".." && new TextEncoder().encode(name).length < 256
    );
}

test("LocalStore: the name is the URL of the resolved folder", () => {
  assert.equal(new LocalStore("some/./folder").name, pathToFileURL("some/folder").href);
  assert.equal(new LocalStore(new URL("file:///var/data")).name.endsWith("/var/data"), true);
  assert.equal(new LocalStore("/var/a b", { name: "inbox" }).name, "inbox");
  if (posix) assert.equal(new LocalStore("/var/data/").name, "file:///var/data");
});

test("LocalStore: wrong arguments are TypeErrors", () => {
  const wrong = (...args: unknown[]) => () =>
    new LocalStore(...args as ConstructorParameters<typeof LocalStore>);
  assert.throws(wrong(""), TypeError);
  assert.throws(wrong(undefined), TypeError);
  assert.throws(wrong("a\0b"), TypeError);
  assert.throws(wrong(new URL("https://example.com/")), /file: URL: it is https:/);
  for (const name of ["", 7, "two\nlines"]) {
    assert.throws(wrong("a", { name }), /^TypeError: Cannot make a store .*as 'name' must be /);
  }
  assert.throws(wrong("a", { inode: 1 }), TypeError);
});

test("LocalStore: keys come in UTF-8 byte order, in pages of 1,000", async () => {
  await withFolder(async (folder) => {
    const keys = ["a-", "a/b", "a/c/d", "a0", "b/1", "b/10", "b/9", "é", "\uff5e", "\u{1f600}"];
    const many = Array.from({ length: 2_100 }, (_, i) => `many/${String(i).padStart(4, "0")}`);
    for (const key of [...keys, ...many]) await write(folder, key, "");
    const pages = await Array.fromAsync(new LocalStore(folder).list());
    assert.deepEqual(pages.map((page) => page.length), [1_000, 1_000, 110]);
    const listed = pages.flat().map(({ key }) => key);
    const order = [...keys.slice(0, 7), ...many, ...keys.slice(7)];
    assert.deepEqual(listed, order);
    assert.deepEqual(await keysOf(folder, "a"), ["a-", "a/b", "a/c/d", "a0"]);
    assert.deepEqual(await keysOf(folder, "a/"), ["a/b", "a/c/d"]);
    assert.deepEqual(await keysOf(folder, "many/20"), many.slice(2_000));
  });
});

test("LocalStore: a key never leads out of the folder", async () => {
  await withFolder(async (folder) => {
    await write(folder, "secret");
    await write(folder, "root/sub/file");
    if (posix) await symlink("..", `${folder}/root/up`);
    if (posix) await symlink("sub", `${folder}/root/link`);
    const store = new LocalStore(`${folder}/root`);
    const keys = ["../secret", "sub/../../secret", "/secret", `${folder}/secret`, "..", ".", ""];
    for (
      const key of [...keys, "sub", "sub/", "sub//file", "./sub/file", "a\0b", "up/secret"]
    ) {
      await assert.rejects(store.get(key), isStoreError(/^Cannot get '/, 404), key);
    }
    await assert.rejects(store.get("link/file"), isStoreError(/does not exist/, 404), "not listed");
    await assert.rejects(store.get("sub/file/x"), isStoreError(/does not exist/, 404));
    assert.equal(await new Response(await store.get("sub/file")).text(), "root/sub/file");
  });
});

test("LocalStore: no file stays open", { skip: !linux }, async () => {
  await withFolder(async (folder) => {
    const body = "x".repeat(200_000);
    await write(folder, "a", body);
    const store = new LocalStore(folder);
    const isOpen = async () => {
      const links = readdirSync("/proc/self/fd").map((fd) =>
        readlink(`/proc/self/fd/${fd}`).catch(() => "") // closed since, such as the folder's own
      );
      return (await Promise.all(links)).some((path) => path.startsWith(folder));
    };
    assert.equal((await new Response(await store.get("a")).text()).length, body.length);
    assert.equal(await isOpen(), false, "after the end");
    const stream = await store.get("a");
    assert.equal(await isOpen(), true);
    await stream.cancel();
    assert.equal(await isOpen(), false, "after a cancel");
    await assert.rejects(store.get("a", { ifMatch: '"other"' }), isStoreError(/changed/, 412));
    assert.equal(await isOpen(), false, "after a 412");
    const controller = new AbortController();
    const aborted = (await store.get("a", { signal: controller.signal })).getReader();
    await aborted.read();
    const reason = new Error("enough");
    controller.abort(reason);
    await assert.rejects(aborted.read(), (error) => error === reason);
    for (let tries = 0; tries < 50 && await isOpen(); tries++) await stat(folder);
    assert.equal(await isOpen(), false, "after an abort");
    // Aborted while it is opened: whoever asked gets no file that could be closed.
    for (let i = 0; i < 20; i++) {
      const early = new AbortController();
      const getting = store.get("a", { signal: early.signal });
      early.abort(reason);
      await assert.rejects(getting, (error) => error === reason);
    }
    // Some are not open yet when others are closed again: none is left when none was seen for a while.
    let closed = 0;
    for (let tries = 0; tries < 2_000 && closed < 50; tries++) {
      closed = await isOpen() ? 0 : closed + 1;
      await stat(folder);
    }
    assert.equal(closed, 50, "after an abort on the way");
  });
});

test("LocalStore: a poller sees what changes, and a failure removes nothing", async () => {
  await withFolder(async (folder) => {
    const root = `${folder}/root`;
    await write(root, "a", "1");
    await write(root, "b/c", "2");
    const poller = new ObjectStorePoller(new LocalStore(root));
    const poll = async () => {
      const events = [...await poller.poll({ signal: new AbortController().signal })];
      return events.map(({ type, item }) => `${type} ${item.key}`);
    };
    assert.deepEqual(await poll(), ["added a", "added b/c"]);
    await rename(root, `${folder}/away`);
    await assert.rejects(poll(), isStoreError(/ENOENT/));
    await rename(`${folder}/away`, root);
    assert.deepEqual(await poll(), []);
    await write(root, "a", "3");
    await rm(`${root}/b`, { recursive: true });
    assert.deepEqual(await poll(), ["modified a", "removed b/c"]);
    assert.equal(existsSync(root), true);
  });
});
