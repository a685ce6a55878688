// FileCheckpointStore on a real file system: a file a key, saves in their order, and crashes at every step of one.
import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import fs from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { mock, test } from "node:test";
import { FileCheckpointStore } from "@koprs/external/checkpoints/file";
import { assertTidy, bytes, KEY, loaded, Program, skipPosix, temporaryFolder } from "./_program.ts";

const timeout = 30_000;

test(
  "each key has its own file, and the folder is made at the first use",
  { timeout },
  async (t) => {
    const folder = join(await temporaryFolder(t), "a/b");
    const store = new FileCheckpointStore(folder);
    assert.equal(existsSync(folder), false, "nothing is touched before it is used");
    const keys = ["a", "A", "a/b", "a\\b", "", "x".repeat(1000), "../a"];
    for (const key of keys) assert.equal(await store.load(key), undefined);
    for (const key of keys) await store.save(key, bytes(`state of ${key}`));
    for (const key of keys) assert.deepEqual(await store.load(key), bytes(`state of ${key}`));
    const files = readdirSync(folder).filter((name) => name.endsWith(".checkpoint"));
    assert.equal(files.length, keys.length);
    assertTidy(readdirSync(folder));
    for (const key of keys) {
      const place = await store.locate(key);
      assert(files.some((file) => join(folder, file) === place), place);
    }
  },
);

test("a folder that is not a path is a TypeError", () => {
  for (const folder of ["", "a\0b", undefined, 7]) {
    assert.throws(() => new FileCheckpointStore(folder as string), TypeError);
  }
});

test("states are whole, whatever their size", { timeout }, async (t) => {
  const store = new FileCheckpointStore(await temporaryFolder(t));
  for (const size of [0, 1, 65_537, 3_000_000]) {
    const state = Uint8Array.from({ length: size }, (_, i) => i * 31 >> 3);
    await store.save(KEY, state);
    assert.deepEqual(await store.load(KEY), state);
  }
});

test("saves at once are done one after the other", { timeout }, async (t) => {
  const store = new FileCheckpointStore(await temporaryFolder(t));
  const states = Array.from({ length: 20 }, (_, i) => String(i).repeat(1 + (i * 7919) % 5000));
  await Promise.all(states.map((state) => store.save(KEY, bytes(state))));
  assert.deepEqual(await store.load(KEY), bytes(states.at(-1)!));
});

/** What all open files share: its methods can be watched, and held up. */
async function fileMethods(folder: string): Promise<fs.FileHandle> {
  const file = await fs.open(join(folder, "any"), "w");
  await file.close();
  return Object.getPrototypeOf(file);
}

test("saves behind one that hangs wait as one, and never overtake", { timeout }, async (t) => {
  const base = await temporaryFolder(t);
  const store = new FileCheckpointStore(join(base, "state"));
  await store.save(KEY, bytes("0"));
  const methods = await fileMethods(base);
  const { sync } = methods;
  let goOn = () => {};
  const hanging = new Promise<void>((reached) => {
    mock.method(methods, "sync", function (this: fs.FileHandle) {
      mock.restoreAll();
      return new Promise<void>((resolve) => {
        goOn = () => resolve(sync.call(this));
        reached();
      });
    });
  });
  t.after(() => mock.restoreAll());
  const first = store.save(KEY, bytes("1"));
  await hanging;
  let writes = 0;
  const { writeFile } = methods;
  mock.method(methods, "writeFile", function (this: fs.FileHandle, content: string) {
    writes++;
    return writeFile.call(this, content);
  });
  const others = ["2", "3", "4"].map((state) => store.save(KEY, bytes(state)));
  const other = store.save("another", bytes("5"));
  await other; // Another key does not wait.
  goOn();
  await Promise.all([first, ...others]);
  assert.equal(writes, 4, "for each key one of the line before it, and one of the state");
  assert.deepEqual(await store.load(KEY), bytes("4"));
  await store.save(KEY, bytes("6"));
  assert.deepEqual(await store.load(KEY), bytes("6"));
});

test("of two stores of one process on one folder, the one that loaded a key last may save it", {
  timeout,
}, async (t) => {
  const folder = await temporaryFolder(t);
  const [a, b] = [new FileCheckpointStore(folder), new FileCheckpointStore(join(folder, "."))];
  await a.save(KEY, bytes("a"));
  await b.load(KEY);
  await assert.rejects(a.save(KEY, bytes("stale")), {
    code: "checkpoint",
    message: /^Cannot save the checkpoint of 'the source' in '.*' as another watch of this process/,
  });
  await b.save(KEY, bytes("b"));
  await a.save("another", bytes("x"));
  assert.equal(await loaded(folder), "b");
  await a.load(KEY);
  await a.save(KEY, bytes("a again"));
  assert.equal(await loaded(folder), "a again");
});

// The file is opened, written and synced; renamed; and the folder synced.
const STEPS = ["writeFile 1", "sync 1", "sync 2"];

test("a crash at any step of a save leaves the old state or the new one", {
  timeout: 60_000,
  skip: skipPosix,
}, async (t) => {
  const seen: string[] = [];
  for (const step of STEPS) {
    for (const behind of [false, true]) {
      const folder = await temporaryFolder(t);
      const program = new Program({ folder, states: ["old", "new"], dieAt: { step, behind } });
      const output = await program.end();
      assert.equal(program.signal, "SIGKILL", `${step} was not met: ${output}`);
      const torn = readdirSync(folder).filter((name) => name.endsWith(".tmp"));
      writeFileSync(join(folder, "mine.tmp"), "not ours");
      const state = await loaded(folder);
      const renamed = STEPS.indexOf(step) >= STEPS.indexOf("sync 2");
      assert.equal(state, renamed ? "new" : "old", `${step} ${behind}`);
      assert.equal(torn.length, renamed ? 0 : 1, `${step} ${behind}`);
      // What it left behind is gone, and nothing else.
      assert.deepEqual(readdirSync(folder).filter((name) => name.endsWith(".tmp")), ["mine.tmp"]);
      seen.push(`${state}`);
    }
  }
  assert.equal(new Set(seen).size, 2);
});

test(
  "a full disk is reported as it is, and the old state stays",
  { timeout, skip: skipPosix },
  async (t) => {
    const folder = await temporaryFolder(t);
    // A limit of the kernel for the size of files: a real error in the middle of a real write.
    const output = await new Program(
      { folder, states: ["old"], large: 50_000_000 },
      { limit: "trap '' XFSZ; ulimit -f 80000" },
    ).end();
    assert.match(output, /^failed \w+ (EFBIG|ENOSPC|undefined) .*(EFBIG|too large|no space)/mi);
    assertTidy(readdirSync(folder));
    assert.equal(await loaded(folder), "old");
  },
);

test("no file stays open but the lock", {
  timeout,
  skip: process.platform !== "linux" && "needs /proc",
}, async (t) => {
  const folder = await temporaryFolder(t);
  const store = new FileCheckpointStore(folder);
  await store.load(KEY);
  await store.save(KEY, bytes("1"));
  await store.load(KEY);
  const paths = readdirSync("/proc/self/fd").map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return ""; // closed since, such as that of /proc itself
    }
  });
  assert.deepEqual(paths.filter((path) => path.startsWith(folder)), [join(folder, "lock")]);
});

test(
  "a file that was cut off on the disk is given as it is: the source tells",
  { timeout },
  async (t) => {
    const folder = await temporaryFolder(t);
    const store = new FileCheckpointStore(folder);
    await store.save(KEY, bytes("whole"));
    const path = await store.locate(KEY);
    truncateSync(path, statSync(path).size - 2);
    assert.equal(await loaded(folder), "who");
  },
);

test("clocks that jump change nothing", { timeout }, async (t) => {
  const folder = await temporaryFolder(t);
  t.after(() => mock.timers.reset());
  for (const now of [0, Date.now() + 1e12, 1]) {
    mock.timers.reset();
    mock.timers.enable({ apis: ["Date"], now });
    const store = new FileCheckpointStore(folder);
    await store.load(KEY);
    await store.save(KEY, bytes(String(now)));
    assert.equal(await loaded(folder), String(now));
  }
  mkdirSync(join(folder, "x"));
});

test("a listing reads the beginning of each file: a key that needs more is left out", {
  timeout,
}, async (t) => {
  const folder = await temporaryFolder(t);
  const store = new FileCheckpointStore(folder);
  const keys = ["a", "b".repeat(60_000), "c".repeat(70_000)];
  for (const key of keys) await store.save(key, bytes(`state of ${key.length}`));
  mkdirSync(join(folder, "d.checkpoint"));
  writeFileSync(join(folder, "e.txt"), "no checkpoint");
  assert.deepEqual((await Array.fromAsync(store.list())).sort(), keys.slice(0, 2));
  for (const key of keys) assert.deepEqual(await store.load(key), bytes(`state of ${key.length}`));
});

test("a deletion is refused to whoever has lost the key, or the folder", { timeout }, async (t) => {
  const folder = await temporaryFolder(t);
  const [store, other] = [new FileCheckpointStore(folder), new FileCheckpointStore(folder)];
  await store.save(KEY, bytes("1"));
  await other.load(KEY);
  await assert.rejects(store.delete(KEY), {
    code: "checkpoint",
    source: KEY,
    message: /^Cannot delete the checkpoint of .* another watch of this process/,
  });
  writeFileSync(join(folder, "holder"), "another process");
  await assert.rejects(other.delete(KEY), { code: "checkpoint", message: /taken over the folder/ });
  assert.ok(existsSync(await other.locate(KEY)));
});
