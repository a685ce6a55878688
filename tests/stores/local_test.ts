import { ExternalError } from "@koprs/external/error";
import { type ObjectMeta, type ObjectStore, ObjectStorePoller } from "@koprs/external/store";
import { LocalStore, type LocalStoreOptions } from "@koprs/external/stores/local";
import { testStore } from "@koprs/external/testing";
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import {
  mkdir,
  mkdtemp,
  readlink,
  rename,
  rm,
  stat,
  symlink,
  truncate,
  utimes,
  writeFile,
} from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { pathToFileURL } from "node:url";

const posix = process.platform !== "win32";
const linux = process.platform === "linux";

async function withFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "koprs-external-"));
  try {
    await body(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function write(folder: string, key: string, body: string | Uint8Array = key): Promise<void> {
  const path = `${folder}/${key}`;
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, body);
}

async function list(store: ObjectStore, prefix?: string): Promise<ObjectMeta[]> {
  return (await Array.fromAsync(store.list(prefix === undefined ? {} : { prefix }))).flat();
}

async function keysOf(folder: string, prefix?: string): Promise<string[]> {
  return (await list(new LocalStore(folder), prefix)).map(({ key }) => key);
}

async function etagOf(folder: string, key: string, options?: LocalStoreOptions): Promise<string> {
  const store = new LocalStore(folder, options);
  const found = (await list(store)).find((object) => object.key === key);
  assert.ok(found?.etag !== undefined);
  return found.etag;
}

function isStoreError(wanted: RegExp, status?: number): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof ExternalError, String(error));
    assert.equal(error.code, "store");
    assert.equal(error.status, status);
    assert.match(error.message, wanted);
    assert.match(error.source ?? "", /^file:/);
    return true;
  };
}

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
  assert.throws(wrong("a", { name: "" }), TypeError);
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

test(
  "LocalStore: links to files are followed, links to folders and loops are not",
  { skip: !posix },
  async () => {
    await withFolder(async (folder) => {
      const root = join(folder, "root");
      await write(root, "sub/file", "12345");
      await write(folder, "outside", "123");
      await symlink("sub/file", `${root}/to-file`);
      await symlink("../outside", `${root}/to-outside`);
      await symlink("sub", `${root}/to-folder`);
      await symlink("..", `${root}/sub/up`);
      await symlink("missing", `${root}/dangling`);
      await symlink("sub/file/x", `${root}/through-file`);
      await symlink("loop", `${root}/loop`);
      const store = new LocalStore(root);
      const found = (await list(store)).map(({ key, size }) => `${key} ${size}`);
      assert.deepEqual(found, ["sub/file 5", "to-file 5", "to-outside 3"]);
      assert.equal(await new Response(await store.get("to-outside")).text(), "123");
      await symlink(root, `${folder}/link-to-root`);
      assert.equal((await list(new LocalStore(`${folder}/link-to-root`))).length, 3);
    });
  },
);

test(
  "LocalStore: sockets and pipes are left out, and cannot be got",
  { skip: !posix },
  async () => {
    await withFolder(async (folder) => {
      execFileSync("mkfifo", [`${folder}/pipe`]);
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(`${folder}/socket`, resolve));
      try {
        await write(folder, "z");
        assert.deepEqual(await keysOf(folder), ["z"]);
        for (const key of ["pipe", "socket"]) {
          await assert.rejects(
            new LocalStore(folder).get(key),
            isStoreError(/does not exist/, 404),
          );
        }
      } finally {
        await new Promise((resolve) => server.close(resolve));
      }
    });
  },
);

test("LocalStore: a root that is missing or no folder fails the listing", async () => {
  await withFolder(async (folder) => {
    await write(folder, "file");
    await assert.rejects(keysOf(`${folder}/none`), isStoreError(/does not exist \(ENOENT\)/));
    await assert.rejects(keysOf(`${folder}/none`, "x"), isStoreError(/ENOENT/));
    await assert.rejects(keysOf(`${folder}/file`), isStoreError(/not a folder \(ENOTDIR\)/));
    await assert.rejects(keysOf(`${folder}/file/x`), isStoreError(/ENOTDIR/));
  });
});

test("LocalStore: a folder or file this process may not look at fails the listing", {
  skip: !posix || typeof process.seteuid !== "function",
}, async () => {
  await withFolder(async (folder) => {
    await write(folder, "a");
    await write(folder, "closed/b");
    await write(folder, "blind/c");
    execFileSync("chmod", ["755", folder]);
    execFileSync("chmod", ["000", `${folder}/closed`]);
    execFileSync("chmod", ["744", `${folder}/blind`]); // names may be read, but nothing about them
    await asNobody(async () => {
      await assert.rejects(keysOf(folder), isStoreError(/may not read it \(EACCES\)/));
      await assert.rejects(keysOf(folder, "closed/"), isStoreError(/closed.*EACCES/));
      await assert.rejects(keysOf(folder, "blind/"), isStoreError(/blind.*EACCES/));
      assert.deepEqual(await keysOf(folder, "a"), ["a"]);
      await assert.rejects(new LocalStore(folder).get("blind/c"), isStoreError(/EACCES/));
    });
    execFileSync("chmod", ["-R", "755", folder]);
    assert.deepEqual(await keysOf(folder), ["a", "blind/c", "closed/b"]);
  });
});

/** Nothing is closed to root: gives its rights up for a while. */
async function asNobody(body: () => Promise<void>): Promise<void> {
  if (process.geteuid?.() !== 0) return await body();
  process.seteuid?.(65_534);
  try {
    await body();
  } finally {
    process.seteuid?.(0);
  }
}

test("LocalStore: a folder that fails for another reason fails the listing", {
  skip: !posix,
}, async () => {
  await withFolder(async (folder) => {
    await write(folder, "a");
    // Deeper than a path can be long: no single call could make it.
    const deep = Array.from({ length: 12 }, () => "n".repeat(200)).join("/");
    await mkdir(`${folder}/${deep}`, { recursive: true });
    await mkdir(`${folder}/other/${deep}`, { recursive: true });
    await rename(`${folder}/other`, `${folder}/${deep}/other`);
    try {
      await assert.rejects(keysOf(folder), isStoreError(/ENAMETOOLONG|name too long/i));
      assert.deepEqual(await keysOf(folder, "a"), ["a"], "what cannot match is not read");
    } finally {
      await rename(`${folder}/${deep}/other`, `${folder}/other`);
    }
  });
});

test("LocalStore: a name that is not UTF-8 fails the listing and is named", {
  skip: !linux,
}, async () => {
  const touch = (folder: string, name: string) =>
    execFileSync("sh", ["-c", `touch "$(printf '${name}')"`], { cwd: folder });
  await withFolder(async (folder) => {
    await write(folder, "fine/\ufffd", "a character like any other");
    await write(folder, "z");
    assert.deepEqual(await keysOf(folder), ["fine/\ufffd", "z"]);
    touch(folder, "x\\377");
    await assert.rejects(keysOf(folder), isStoreError(/not UTF-8 reads as "x\ufffd"/));
    touch(folder, "x\\376");
    await assert.rejects(keysOf(folder), isStoreError(/two names both read as "x\ufffd"/));
    assert.deepEqual(await keysOf(folder, "z"), ["z"], "what cannot match does not matter");
    execFileSync("sh", ["-c", `rm "$(printf 'x\\377')"; mv "$(printf 'x\\376')" "x\ufffd"`], {
      cwd: folder,
    });
    assert.deepEqual(await keysOf(folder), ["fine/\ufffd", "x\ufffd", "z"]);
    touch(folder, "x\\377");
    await assert.rejects(keysOf(folder), isStoreError(/two names both read as "x\ufffd"/));
  });
  await withFolder(async (folder) => {
    execFileSync("sh", ["-c", `mkdir "$(printf 'd\\377')"`], { cwd: folder });
    await assert.rejects(keysOf(folder), isStoreError(/not UTF-8 reads as "d\ufffd"/));
  });
  await withFolder(async (folder) => {
    await symlink("nowhere", `${folder}/\ufffd`);
    assert.deepEqual(await keysOf(folder), [], "a link that leads nowhere is absent");
  });
});

test("LocalStore: the ETag is the same on every runtime", { skip: !linux }, async () => {
  await withFolder(async (folder) => {
    await write(folder, "a", "12345");
    // Deno sees .123 of all of these; a number of milliseconds would round the second one up.
    for (const fraction of ["123", "123999999", "123000001"]) {
      execFileSync("touch", ["-d", `2023-11-14 22:13:20.${fraction} UTC`, `${folder}/a`]);
      assert.equal(await etagOf(folder, "a", { inode: false }), '"loyw3v5n-5"');
      const { ino } = await stat(`${folder}/a`);
      assert.equal(await etagOf(folder, "a"), `"loyw3v5n-5-${ino.toString(36)}"`);
      const [object] = await list(new LocalStore(folder));
      assert.equal(object?.lastModified, 1_700_000_000_123);
    }
    execFileSync("touch", ["-d", "1969-12-31 23:59:58.750000001 UTC", `${folder}/a`]);
    assert.equal(await etagOf(folder, "a", { inode: false }), `"${(-1249).toString(36)}-5"`);
  });
});

test("LocalStore: the ETag is the text of exact numbers, whatever the size and the time", {
  skip: !linux,
}, async () => {
  await withFolder(async (folder) => {
    const sizes = [0, 35, 36, 2 ** 31, 2 ** 32 + 1, 2 ** 40 - 1];
    const times = [
      ["1700000000.999999900", 1_700_000_000_999n], // a number of milliseconds would round it up
      ["1700000000.999000000", 1_700_000_000_999n],
      ["1700000000.000000001", 1_700_000_000_000n],
      ["1700000000.4", 1_700_000_000_400n],
      ["4294967296.999999999", 4_294_967_296_999n],
      ["0", 0n],
      ["-0.000000001", 0n], // what is before 1970 is cut off towards it on all runtimes
      ["-1", -1_000n],
    ] as const;
    for (const [i, size] of sizes.entries()) {
      for (const [j, [time]] of times.entries()) {
        const path = `${folder}/${i} ${j}`;
        await writeFile(path, "");
        await truncate(path, size); // sparse: it takes no room
        execFileSync("touch", ["-d", `@${time}`, path]);
      }
    }
    const found = await list(new LocalStore(folder));
    assert.equal(found.length, sizes.length * times.length);
    for (const { key, size, etag, lastModified } of found) {
      const [i, j] = key.split(" ").map(Number);
      const time = times[j ?? 0]?.[1] ?? -1n;
      const { ino } = await stat(`${folder}/${key}`, { bigint: true });
      assert.equal(size, sizes[i ?? 0]);
      assert.equal(lastModified, Number(time), key);
      const parts = [time, BigInt(size), BigInt(Number(ino))].map((part) => part.toString(36));
      assert.equal(etag, `"${parts.join("-")}"`, key);
    }
  });
});

test("LocalStore: a rewrite of the same size within one tick of the clock is seen", async () => {
  await withFolder(async (folder) => {
    for (let round = 0; round < 20; round++) {
      await writeFile(`${folder}/a`, "old");
      const before = await etagOf(folder, "a");
      await writeFile(`${folder}/a`, "new");
      assert.notEqual(await etagOf(folder, "a"), before);
    }
  });
});

test("LocalStore: a file put in place of another with its size and time is seen", {
  skip: !posix,
}, async () => {
  await withFolder(async (folder) => {
    const time = new Date("2020-01-01T00:00:00Z");
    await write(folder, "a", "old");
    await utimes(`${folder}/a`, time, time);
    const before = [await etagOf(folder, "a"), await etagOf(folder, "a", { inode: false })];
    await write(folder, "b", "new");
    await utimes(`${folder}/b`, time, time);
    await rename(`${folder}/b`, `${folder}/a`);
    assert.notEqual(await etagOf(folder, "a"), before[0]);
    assert.equal(await etagOf(folder, "a", { inode: false }), before[1]);
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

test("LocalStore: a file that changes while it is read fails the stream", async () => {
  await withFolder(async (folder) => {
    const store = new LocalStore(folder);
    await write(folder, "a", "x".repeat(200_000));
    const reader = (await store.get("a", { ifMatch: await etagOf(folder, "a") })).getReader();
    await reader.read();
    await writeFile(`${folder}/a`, "y".repeat(200_000));
    const rest = async () => {
      while (!(await reader.read()).done);
    };
    await assert.rejects(rest(), isStoreError(/changed/, 412));
    // Without `ifMatch` it is what it is: a log that grows can be read.
    const log = (await store.get("a")).getReader();
    await log.read();
    await writeFile(`${folder}/a`, "z", { flag: "a" });
    for (let done = false; !done;) done = (await log.read()).done;
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
  });
});

/** Folders of 128 files. */
async function writeMany(root: string, folders: number): Promise<void> {
  for (let i = 0; i < folders; i++) {
    await mkdir(`${root}/${String(i).padStart(2, "0")}`, { recursive: true });
    const names = Array.from(
      { length: 128 },
      (_, j) => `${root}/${String(i).padStart(2, "0")}/${j}`,
    );
    await Promise.all(names.map((path) => writeFile(path, "")));
  }
}

test("LocalStore: what vanishes while the folder is listed is absent", async () => {
  await withFolder(async (folder) => {
    await writeMany(folder, 40); // more than a listing reads ahead of its first page
    const pages = new LocalStore(folder).list();
    const first = (await pages.next()).value ?? [];
    assert.equal(first.length, 1_000);
    // However long the reader takes, the listing does not run ahead of it to the end.
    await new Promise((resolve) => setTimeout(resolve, 100));
    await rm(`${folder}/39`, { recursive: true });
    const rest = (await Array.fromAsync(pages)).flat();
    assert.equal(first.length + rest.length, 39 * 128);
  });
});

test("LocalStore: a root that is gone or another one by the end fails the listing", async () => {
  await withFolder(async (folder) => {
    const root = `${folder}/root`;
    for (const replaced of [false, true]) {
      await writeMany(root, 10);
      const pages = new LocalStore(root).list();
      await pages.next();
      await rename(root, `${folder}/old`);
      if (replaced) await mkdir(root);
      const wanted = replaced ? /in place of another/ : /ENOENT/;
      await assert.rejects(Array.fromAsync(pages), isStoreError(wanted));
      await rm(`${folder}/old`, { recursive: true });
      if (replaced) await rm(root, { recursive: true });
    }
  });
});

test("LocalStore: files that come and go never fail a listing or hide the others", async () => {
  await withFolder(async (folder) => {
    for (let i = 0; i < 50; i++) await write(folder, `stay/${i % 5}/${i}`);
    let running = true;
    const churn = (async () => {
      for (let round = 0; running; round++) {
        await write(folder, `come/${round % 7}/file`);
        await write(folder, `stay/1/${round % 3}.tmp`);
        await rm(`${folder}/come/${(round + 3) % 7}`, { recursive: true, force: true });
        await rm(`${folder}/stay/1/${(round + 1) % 3}.tmp`, { force: true });
      }
    })();
    try {
      for (let round = 0; round < 20; round++) {
        const keys = await keysOf(folder);
        const stayed = keys.filter((key) => /^stay\/\d\/\d+$/.test(key));
        assert.equal(stayed.length, 50);
      }
    } finally {
      running = false;
      await churn;
    }
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
