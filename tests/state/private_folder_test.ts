// FileCheckpointStore's folder: made for this user alone, and refused where others could put something in a state's place.
import assert from "node:assert/strict";
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ObjectStorePoller, watchExternal } from "@koprs/external";
import { FileCheckpointStore } from "@koprs/external/checkpoints/file";
import { MemoryStore } from "@koprs/external/stores/memory";
import {
  bytes,
  KEY,
  loaded,
  NOBODY,
  Program,
  skipPosix,
  skipRoot,
  temporaryFolder,
} from "./_program.ts";

const timeout = 30_000;

function modeOf(path: string): string {
  return (statSync(path).mode & 0o7777).toString(8);
}

test("the folder and those above it, and all files, are for this user alone, whatever the umask", {
  timeout,
  skip: skipPosix,
}, async (t) => {
  for (const umask of ["0", "022", "077"]) {
    const base = await temporaryFolder(t);
    const program = new Program({ folder: join(base, "a/b"), states: ["1", "2"] }, {
      limit: `umask ${umask}`,
    });
    assert.match(await program.end(), /^saved$/m);
    for (const folder of ["a", "a/b"]) assert.equal(modeOf(join(base, folder)), "700", folder);
    const names = readdirSync(join(base, "a/b"));
    assert.equal(names.length, 3, "a lock, who holds it, and a checkpoint");
    for (const name of names) assert.equal(modeOf(join(base, "a/b", name)), "600", name);
  }
});

test("a folder that others can write is refused, and what to do instead is said and works", {
  timeout,
  skip: skipPosix,
}, async (t) => {
  for (const mode of [0o777, 0o1777, 0o2777, 0o770, 0o775, 0o720, 0o702, 0o1770]) {
    const folder = await temporaryFolder(t);
    chmodSync(folder, mode);
    const store = new FileCheckpointStore(folder);
    const refused = (error: { code: string; message: string }) => {
      assert.equal(error.code, "checkpoint");
      assert(error.message.includes(`(its mode is ${mode.toString(8).padStart(4, "0")})`));
      assert.match(error.message, /^Cannot keep checkpoints in '.*' as others may write to it/);
      assert.match(
        error.message,
        /use a folder in it, such as '.*\/checkpoints', .* 'chmod go-w'$/,
      );
      return true;
    };
    await assert.rejects(store.load(KEY), refused);
    await assert.rejects(store.save(KEY, bytes("1")), refused);
    assert.equal(modeOf(folder), mode.toString(8), "it stays as it is");
    assert.deepEqual(readdirSync(folder), []);
    const inner = new FileCheckpointStore(join(folder, "checkpoints"));
    await inner.save(KEY, bytes("1"));
    chmodSync(folder, mode & ~0o022);
    await store.save(KEY, bytes("2"));
    assert.equal(await loaded(folder), "2");
    assert.equal(await loaded(join(folder, "checkpoints")), "1");
  }
});

test("a folder that others may read is taken, and so is one of the group of a pod", {
  timeout,
  skip: skipPosix,
}, async (t) => {
  for (const mode of [0o700, 0o755, 0o1755, 0o2770, 0o2775]) {
    const folder = await temporaryFolder(t);
    chmodSync(folder, mode);
    await new FileCheckpointStore(folder).save(KEY, bytes("1"));
    assert.equal(await loaded(folder), "1");
    assert.equal(modeOf(folder), mode.toString(8));
  }
});

test(
  "a folder of another user is refused, also to root",
  { timeout, skip: skipRoot },
  async (t) => {
    const folder = await temporaryFolder(t);
    chmodSync(folder, 0o700);
    chownSync(folder, NOBODY, NOBODY);
    const message =
      /^Cannot keep checkpoints in '.*' as it belongs to another user \(65534\), and this process is user 0: use a folder in it/;
    await assert.rejects(loaded(folder), { code: "checkpoint", message });
    assert.deepEqual(readdirSync(folder), []);
    await new FileCheckpointStore(join(folder, "checkpoints")).save(KEY, bytes("1"));
  },
);

test("another user than root takes its own folder and one of root, and no third one's", {
  timeout,
  skip: skipRoot,
}, async (t) => {
  const run = (folder: string) => new Program({ folder, states: ["x"], user: NOBODY }).end();
  const make = async (owner: number, mode: number) => {
    const folder = await temporaryFolder(t);
    chmodSync(folder, mode);
    chownSync(folder, owner, NOBODY);
    return folder;
  };
  assert.match(await run(await make(NOBODY, 0o700)), /^saved$/m);
  assert.match(await run(await make(0, 0o2775)), /^saved$/m);
  const third = await make(12_345, 0o2775);
  assert.match(
    await run(third),
    /^failed ExternalError checkpoint .* belongs to another user \(12345\), .* is user 65534/m,
  );
  assert.deepEqual(readdirSync(third), []);
  const closed = await make(0, 0o755);
  assert.match(
    await run(closed),
    /^failed ExternalError checkpoint Cannot keep checkpoints in '.*': .*EACCES: .*may read and write$/m,
  );
  assert.deepEqual(readdirSync(closed), []);
});

test("a folder that is none is a clear error that ends the watch", { timeout }, async (t) => {
  const base = await temporaryFolder(t);
  writeFileSync(join(base, "file"), "");
  for (const folder of [join(base, "file"), join(base, "file/below")]) {
    const watch = watchExternal(new ObjectStorePoller(new MemoryStore()), {
      interval: 1,
      checkpoint: new FileCheckpointStore(folder),
      logger: { info() {}, warn() {}, error() {}, debug() {} },
    });
    await assert.rejects(watch.getReader().read(), {
      name: "ExternalError",
      code: "checkpoint",
      message:
        /^Cannot keep checkpoints in '.*file.*': E\w+: .*: it must be a folder.* read and write$/,
    });
  }
});

test("a link in the place of a checkpoint is neither read nor written through", {
  timeout,
  skip: skipPosix,
}, async (t) => {
  const base = await temporaryFolder(t);
  const folder = join(base, "state");
  const other = join(base, "other");
  writeFileSync(other, "secret");
  const store = new FileCheckpointStore(folder);
  await store.save(KEY, bytes("1"));
  const place = await store.locate(KEY);
  rmSync(place);
  symlinkSync(other, place);
  await assert.rejects(store.load(KEY), {
    code: "checkpoint",
    message: /^Cannot load the checkpoint of 'the source' as '.*' is a symbolic link/,
  });
  await store.save(KEY, bytes("2"));
  assert.equal(lstatSync(place).isFile(), true);
  assert.equal(readFileSync(other, "utf8"), "secret");
  // Another name of the same file is left alone, too.
  rmSync(place);
  linkSync(other, place);
  await store.save(KEY, bytes("3"));
  assert.equal(readFileSync(other, "utf8"), "secret");
  assert.equal(await loaded(folder), "3");
});

test("a lock that is a link, a folder or full of something is refused, and left as it is", {
  timeout,
  skip: skipPosix,
}, async (t) => {
  for (const kind of ["link", "link to nothing", "folder", "text"]) {
    const base = await temporaryFolder(t);
    const folder = join(base, "state");
    mkdirSync(folder, { mode: 0o700 });
    const other = join(base, "other");
    const lock = join(folder, "lock");
    writeFileSync(other, "secret");
    // What the link leads to could be locked: it must not be.
    if (kind === "link") writeFileSync(other, "");
    if (kind.startsWith("link")) symlinkSync(kind === "link" ? other : join(base, "none"), lock);
    if (kind === "folder") mkdirSync(lock);
    if (kind === "text") writeFileSync(lock, "text ".repeat(1_000));
    await assert.rejects(loaded(folder), {
      code: "checkpoint",
      message: /^Cannot keep checkpoints/,
    });
    assert.equal(readFileSync(other, "utf8"), kind === "link" ? "" : "secret");
    assert.equal(existsSync(join(base, "none")), false);
    assert.deepEqual(readdirSync(folder), ["lock"]);
  }
});

test("a link to the folder leads to the same lock and the same states", {
  timeout,
  skip: skipPosix,
}, async (t) => {
  const base = await temporaryFolder(t);
  await new FileCheckpointStore(join(base, "state")).save(KEY, bytes("1"));
  symlinkSync("state", join(base, "link"));
  assert.equal(await loaded(join(base, "link")), "1");
});
