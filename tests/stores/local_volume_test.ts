// LocalStore over the volumes that Kubernetes makes of ConfigMaps and Secrets, swapped as its kubelet swaps them.
import { ObjectStorePoller } from "@koprs/external/store";
import { LocalStore } from "@koprs/external/stores/local";
import { testStore } from "@koprs/external/testing";
import assert from "node:assert/strict";
import {
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readlink,
  rename,
  rm,
  symlink,
  utimes,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { isStoreError, keysOf, list, posix, withFolder, write } from "./_local.ts";

const skip = posix ? false : "links need rights on Windows";

type Files = Readonly<Record<string, string>>;

/** A volume, written as kubelet's AtomicWriter does. */
class Volume {
  readonly root: string;
  #updates = 0;

  constructor(root: string) {
    this.root = root;
  }

  /** Writes all files anew into a new folder, swaps the link, then sets the links that users see, and removes the rest. */
  async update(files: Files, meanwhile: (step: string) => unknown = () => {}): Promise<void> {
    const old = await readlink(`${this.root}/..data`).catch(() => undefined);
    const stamp = `..2026_01_31_12_00_${String(this.#updates++).padStart(2, "0")}.123456789`;
    await mkdir(`${this.root}/${stamp}`, { recursive: true });
    for (const [key, content] of Object.entries(files)) {
      await write(`${this.root}/${stamp}`, key, content);
    }
    await meanwhile("written");
    await symlink(stamp, `${this.root}/..data_tmp`);
    await rename(`${this.root}/..data_tmp`, `${this.root}/..data`);
    await meanwhile("swapped");
    const shown = new Set(Object.keys(files).map((key) => key.split("/")[0] as string));
    for (const name of shown) {
      await symlink(`..data/${name}`, `${this.root}/${name}`).catch((error) => {
        if (error.code !== "EEXIST") throw error;
      });
    }
    for (const name of await readdir(this.root)) {
      const link = await readlink(`${this.root}/${name}`).catch(() => "");
      if (link.startsWith("..data/") && !shown.has(name)) await rm(`${this.root}/${name}`);
    }
    if (old !== undefined) await rm(`${this.root}/${old}`, { recursive: true });
    await meanwhile("tidied");
  }
}

async function withVolume(body: (volume: Volume, folder: string) => Promise<void>): Promise<void> {
  await withFolder((folder) => body(new Volume(join(folder, "volume")), folder));
}

function pollOf(poller: ObjectStorePoller) {
  return async () => {
    const events = [...await poller.poll({ signal: new AbortController().signal })];
    return events.map(({ type, item }) => `${type} ${item.key}`);
  };
}

async function textOf(store: LocalStore, key: string, ifMatch?: string): Promise<string> {
  const content = await store.get(key, ifMatch === undefined ? {} : { ifMatch });
  return await new Response(content).text();
}

testStore("LocalStore, a volume", async () => {
  const folder = await mkdtemp(join(tmpdir(), "koprs-external-"));
  const volume = new Volume(join(folder, "volume"));
  // The files of now, written and removed in place: what an update does with them all is tested below.
  if (posix) await volume.update({});
  else await mkdir(volume.root);
  return {
    store: new LocalStore(volume.root),
    otherStore: new LocalStore(`${volume.root}/.`),
    async put(key, body) {
      await write(`${volume.root}/..data`, key, body);
      const top = key.split("/")[0];
      await symlink(`..data/${top}`, `${volume.root}/${top}`).catch(() => {});
    },
    delete: (key) => rm(`${volume.root}/..data/${key}`),
    sameContentIsNoChange: true,
    accepts: (key) =>
      posix && !key.startsWith("..") && !key.includes("\0") &&
      key.split("/").every((name) =>
        !["", ".", ".."].includes(name) && new TextEncoder().encode(name).length < 256
      ),
    leavesSignals: true,
    vanish: () => rm(volume.root, { recursive: true }),
    close: () => rm(folder, { recursive: true, force: true }),
  };
});

test("LocalStore: a volume has the keys of its files, once each", { skip }, async () => {
  await withVolume(async (volume) => {
    const files = { a: "1", "b.json": "{}", "deep/er/c": "3", "deep/d": "4", "deep-": "5" };
    await volume.update(files);
    const store = new LocalStore(volume.root);
    const objects = await list(store);
    assert.deepEqual(objects.map(({ key }) => key), [
      "a",
      "b.json",
      "deep-",
      "deep/d",
      "deep/er/c",
    ]);
    for (const { key, size, etag } of objects) {
      const content = files[key as keyof typeof files];
      assert.equal(size, content.length);
      assert.equal(await textOf(store, key, etag), content);
      assert.equal(await textOf(store, key), content);
    }
    assert.deepEqual(await keysOf(volume.root, "deep/"), ["deep/d", "deep/er/c"]);
    assert.deepEqual(await keysOf(volume.root, "deep/e"), ["deep/er/c"]);
    assert.deepEqual(await keysOf(volume.root, "..2026"), []);
    assert.deepEqual(await keysOf(volume.root, "..data/"), []);
    const stamp = await readlink(`${volume.root}/..data`);
    for (
      const key of ["..data", "..data/a", `${stamp}/a`, `${stamp}/deep/d`, "none", "deep", "a/x"]
    ) {
      await assert.rejects(store.get(key), isStoreError(/^Cannot get '/, 404), key);
    }
  });
});

test(
  "LocalStore: an update of a volume is `modified` of what changed alone",
  { skip },
  async () => {
    await withVolume(async (volume) => {
      await volume.update({ a: "1", b: "2", "deep/c": "3", "deep/d": "4" });
      const store = new LocalStore(volume.root);
      const poller = new ObjectStorePoller(store);
      const poll = pollOf(poller);
      assert.deepEqual(await poll(), ["added a", "added b", "added deep/c", "added deep/d"]);
      assert.deepEqual(await poll(), []);
      await volume.update({ a: "1", b: "2", "deep/c": "3", "deep/d": "4" });
      assert.deepEqual(await poll(), [], "the same contents");
      const etag = (await list(store)).find(({ key }) => key === "b")?.etag;
      // The same size: only the content tells.
      await volume.update({ a: "1", b: "x", "deep/c": "3", "deep/e": "5" });
      assert.deepEqual(await poll(), ["modified b", "removed deep/d", "added deep/e"]);
      await assert.rejects(store.get("b", { ifMatch: etag ?? "" }), isStoreError(/changed/, 412));
      await volume.update({ a: "2" });
      assert.deepEqual(await poll(), [
        "modified a",
        "removed b",
        "removed deep/c",
        "removed deep/e",
      ]);
      await volume.update({});
      assert.deepEqual(await poll(), ["removed a"]);
      // A restart does not change what an ETag is.
      await volume.update({ a: "1" });
      await poll();
      const restarted = new ObjectStorePoller(new LocalStore(volume.root));
      restarted.restore(poller.save());
      await volume.update({ a: "1", z: "1" });
      assert.deepEqual(await pollOf(restarted)(), ["added z"]);
    });
  },
);

test(
  "LocalStore: each step of an update is seen as the old files or the new ones",
  { skip },
  async () => {
    await withVolume(async (volume) => {
      await volume.update({ a: "1", b: "1" });
      const store = new LocalStore(volume.root);
      const poll = pollOf(new ObjectStorePoller(store));
      await poll();
      const seen: Record<string, string[]> = {};
      await volume.update({ a: "2", c: "2" }, async (step) => seen[step] = await poll());
      assert.deepEqual(seen, {
        written: [],
        swapped: ["modified a", "removed b", "added c"],
        tidied: [],
      });
    });
  },
);

test("LocalStore: a volume in the folder, and other things in a volume", { skip }, async () => {
  await withFolder(async (folder) => {
    await write(folder, "a", "outside");
    await write(folder, "z/y", "outside");
    await mkdir(`${folder}/etc`);
    const volume = new Volume(`${folder}/etc/config`);
    await volume.update({ "key": "1", "deep/key": "2" });
    // A folder that another volume is mounted on, a file, and a link of somebody's own.
    await write(volume.root, "extra/file", "beside");
    await write(volume.root, "file", "beside");
    await symlink("..data/key", `${volume.root}/alias`);
    const store = new LocalStore(folder);
    const keys = [
      "a",
      "etc/config/alias",
      "etc/config/deep/key",
      "etc/config/extra/file",
      "etc/config/file",
      "etc/config/key",
      "z/y",
    ];
    assert.deepEqual(await keysOf(folder), keys);
    for (const { key, etag } of await list(store)) {
      assert.ok((await textOf(store, key, etag)).length > 0, key);
    }
    const poll = pollOf(new ObjectStorePoller(store));
    await poll();
    await volume.update({ "key": "1", "deep/key": "3" });
    assert.deepEqual(
      (await poll()).filter((event) => !event.includes("alias")),
      ["modified etc/config/deep/key"],
    );
    const stamp = await readlink(`${volume.root}/..data`);
    for (const key of [`etc/config/${stamp}/key`, "etc/config/..data/key"]) {
      await assert.rejects(store.get(key), isStoreError(/^Cannot get '/, 404), key);
    }
  });
});

test("LocalStore: a folder of a volume, and one that is mounted of it", { skip }, async () => {
  await withVolume(async (volume, folder) => {
    await volume.update({ "deep/a": "1", "deep/b": "2", other: "3" });
    const store = new LocalStore(`${volume.root}/deep`);
    const poll = pollOf(new ObjectStorePoller(store));
    assert.deepEqual(await poll(), ["added a", "added b"]);
    await volume.update({ "deep/a": "1", "deep/b": "x", other: "4" });
    assert.deepEqual(await poll(), ["modified b"]);
    const b = (await list(store)).at(-1);
    assert.equal(await textOf(store, "b", b?.etag), "x");
    // A `subPath` is no volume of that kind: the kubelet mounts the folder itself, and never updates it.
    await write(`${folder}/mounted`, "a", "1");
    assert.deepEqual(await keysOf(`${folder}/mounted`), ["a"]);
  });
});

test("LocalStore: a listing that meets a swap is of one moment, or fails", { skip }, async () => {
  await withVolume(async (volume) => {
    const version = (n: number) =>
      Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`${i % 3}/${i}`, `${n} of ${i}`]));
    await volume.update(version(0));
    const store = new LocalStore(volume.root);
    const texts = new Map<string, string>(); // by ETag
    const note = async (n: number) => {
      for (const [key, text] of Object.entries(version(n))) {
        const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
        const hex = [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0"));
        texts.set(`${key} "sha256-${hex.join("")}"`, `${n}`);
      }
    };
    let running = true;
    let updates = 0;
    await note(0);
    const updating = (async () => {
      while (running) {
        await note(++updates);
        await volume.update(version(updates));
      }
    })();
    let listings = 0, moments = 0;
    try {
      // On a busy machine more listings are needed to meet so many updates.
      const proves = () => listings > 10 && moments > 5 && updates > 5;
      for (let i = 0; i < 60 || !proves() && i < 1_000; i++) {
        const objects = await list(store).catch((error) => {
          assert.ok(isStoreError(/again and again/)(error));
          return undefined;
        });
        if (objects === undefined) continue;
        listings++;
        assert.equal(objects.length, 30);
        const versions = new Set(objects.map(({ key, etag }) => texts.get(`${key} ${etag}`)));
        assert.equal(versions.size, 1, [...versions].join(" "));
        if (!versions.has("0")) moments++;
        const { key } = objects[i % 30]!;
        // A file that is got meanwhile is there, of whatever version.
        assert.match(await textOf(store, key), /^\d+ of \d+$/);
      }
    } finally {
      running = false;
      await updating;
    }
    assert.ok(listings > 10 && moments > 5 && updates > 5, `${listings} of ${updates} updates`);
  });
});

test("LocalStore: what only looks like a volume is a folder like any other", { skip }, async () => {
  await withFolder(async (folder) => {
    // A link of that name to elsewhere, to nowhere, and a folder of that name; a folder with a stamp and no link.
    await write(folder, "target/x");
    await write(folder, "1/a");
    await symlink("../target", `${folder}/1/..data`);
    await write(folder, "2/a");
    await symlink("nowhere", `${folder}/2/..data`);
    await write(folder, "3/..data/a");
    await write(folder, "4/..2026_01_31_12_00_00.1/a");
    const keys = ["1/a", "2/a", "3/..data/a", "4/..2026_01_31_12_00_00.1/a", "target/x"];
    assert.deepEqual(await keysOf(folder), keys);
    const store = new LocalStore(folder);
    for (const { key, etag } of await list(store)) {
      assert.equal(await textOf(store, key, etag), key);
      assert.match(etag ?? "", /^"(?!sha256)/);
    }
  });
});

test("LocalStore: a volume whose link leads nowhere fails the listing", { skip }, async () => {
  await withVolume(async (volume) => {
    await volume.update({ a: "1" });
    await rm(`${volume.root}/${await readlink(`${volume.root}/..data`)}`, { recursive: true });
    await assert.rejects(keysOf(volume.root), isStoreError(/does not exist \(ENOENT\)/));
  });
});

test(
  "LocalStore: outside a volume the content is not read, and no link makes it one",
  { skip },
  async () => {
    await withFolder(async (folder) => {
      const time = new Date("2020-01-01T00:00:00Z");
      await write(folder, "a", "old");
      await utimes(`${folder}/a`, time, time);
      const [before] = await list(new LocalStore(folder));
      await writeFile(`${folder}/a`, "new");
      await utimes(`${folder}/a`, time, time);
      const [after] = await list(new LocalStore(folder));
      assert.equal(before?.etag, after?.etag);
      assert.equal((await lstat(dirname(`${folder}/a`))).isDirectory(), true);
    });
  },
);
