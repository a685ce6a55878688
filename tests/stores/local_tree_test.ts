// What LocalStore lists of a tree, and what fails the listing.
import { LocalStore } from "@koprs/external/stores/local";
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { isStoreError, keysOf, linux, list, posix, withFolder, write } from "./_local.ts";

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
    await assert.rejects(
      keysOf(`${folder}/none`),
      isStoreError(/does not exist \(ENOENT\), which will not pass before somebody makes it$/),
    );
    await assert.rejects(keysOf(`${folder}/none`, "x"), isStoreError(/ENOENT/));
    await assert.rejects(
      keysOf(`${folder}/file`),
      isStoreError(/not a folder \(ENOTDIR\), which will not pass by itself$/),
    );
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
      await assert.rejects(
        keysOf(folder),
        isStoreError(/may not read it \(EACCES\), which will not pass by itself$/),
      );
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
    for (const prefix of ["", "d", "d\ufffd", "d\ufffd/", "d\ufffd/x"]) {
      await assert.rejects(keysOf(folder, prefix), isStoreError(/not UTF-8 reads as "d\ufffd"/));
    }
    assert.deepEqual(await keysOf(folder, "d\ufffdx"), [], "what cannot match does not matter");
  });
  await withFolder(async (folder) => {
    await symlink("nowhere", `${folder}/\ufffd`);
    assert.deepEqual(await keysOf(folder), [], "a link that leads nowhere is absent");
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
