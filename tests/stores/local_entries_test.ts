// What LocalStore makes of a folder's names, also where the file system does not say what they are.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir, symlink } from "node:fs/promises";
import { test } from "node:test";
import { entriesOf, type Named, readNames } from "../../_files/entries.ts";
import { Failures } from "../../_files/failure.ts";
import { isStoreError, posix, withFolder, write } from "./_local.ts";

const failures = new Failures("file:///folder");
const no = () => false;

/** As readdir gives it where the file system tells no types. */
function untyped({ name }: Named): Named {
  return { name, isFile: no, isDirectory: no, isSymbolicLink: no };
}

test(
  "entries without a type are the same as with one, under every prefix",
  { skip: !posix },
  async () => {
    await withFolder(async (folder) => {
      await write(folder, "a");
      await write(folder, "b/c/d");
      await write(folder, "b-");
      await write(folder, "bc/e");
      await mkdir(`${folder}/empty`);
      await symlink("a", `${folder}/link`);
      await symlink("b", `${folder}/link-to-folder`);
      await symlink("nowhere", `${folder}/lost`);
      execFileSync("mkfifo", [`${folder}/pipe`]);
      const names = await readNames(folder);
      const root = { key: "", path: folder };
      const found: string[] = [];
      for (
        const prefix of [
          "",
          "a",
          "b",
          "b/",
          "b/c",
          "b/c/d",
          "b/c/dx",
          "bc/",
          "l",
          "link/",
          "pipe",
          "x",
        ]
      ) {
        const typed = await entriesOf(root, names, prefix, failures);
        assert.deepEqual(
          await entriesOf(root, names.map(untyped), prefix, failures),
          typed,
          prefix,
        );
        found.push(`${prefix}: ${typed.map(({ key }) => key)}`);
      }
      assert.deepEqual(found, [
        ": a,b-,b/,bc/,empty/,link,link-to-folder,lost",
        "a: a",
        "b: b-,b/,bc/",
        "b/: b/",
        "b/c: b/",
        "b/c/d: b/",
        "b/c/dx: b/",
        "bc/: bc/",
        "l: link,link-to-folder,lost",
        "link/: ",
        "pipe: ",
        "x: ",
      ]);
    });
  },
);

test("an entry without a type is looked at only if it can matter, and may have vanished", async () => {
  await withFolder(async (folder) => {
    await write(folder, "sub/file");
    const sub = { key: "sub/", path: `${folder}/sub` };
    const names = ["file", "gone"].map((name) => untyped({ name } as Named));
    const keys = async (prefix: string) =>
      (await entriesOf(sub, names, prefix, failures)).map(({ key }) => key);
    assert.deepEqual(await keys(""), ["sub/file"]);
    assert.deepEqual(await keys("sub/g"), []);
    // One that cannot be looked at fails the listing, unless it is left out anyway.
    const long = [untyped({ name: "n".repeat(300) } as Named)];
    assert.deepEqual(await entriesOf(sub, long, "sub/x", failures), []);
    await assert.rejects(
      entriesOf(sub, long, "sub/n", failures),
      isStoreError(/^Cannot list 'file:\/\/\/folder': '.*(ENAMETOOLONG|name too long)/i),
    );
  });
});
