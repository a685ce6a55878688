// How LocalStore tells that a file changed.
import { LocalStore } from "@koprs/external/stores/local";
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { rename, stat, truncate, utimes, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { etagOf, isStoreError, linux, list, posix, withFolder, write } from "./_local.ts";

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
