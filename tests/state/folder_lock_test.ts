// One process a folder: who comes second is told so, who dies lets go, and who lost the folder stops.
import assert from "node:assert/strict";
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import fs from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { mock, test } from "node:test";
import { FileCheckpointStore } from "@koprs/external/checkpoints/file";
import { assertTidy, bytes, KEY, loaded, Program, skipPosix, temporaryFolder } from "./_program.ts";

const timeout = 30_000;
const IN_USE =
  /^Cannot keep checkpoints in '.*' as another process uses the folder: end that process/;
const TAKEN = /^Cannot save a checkpoint in '.*' as another process has taken over the folder/;

test("two processes on one folder: the second says so; kill -9 of the first lets go", {
  timeout,
  skip: skipPosix,
}, async (t) => {
  for (const name of ["short", `long-${"x".repeat(120)}`, "spaced ?#%41\u00e9"]) {
    const folder = join(await temporaryFolder(t), name);
    const first = new Program({ folder, states: ["first"], stay: true });
    t.after(() => first.kill());
    await first.says("saved");
    for (let i = 0; i < 2; i++) {
      await assert.rejects(new FileCheckpointStore(folder).load(KEY), {
        name: "ExternalError",
        code: "checkpoint",
        message: IN_USE,
      });
    }
    assertTidy(readdirSync(folder));
    await first.kill();
    assert.equal(await loaded(folder), "first");
    const second = new Program({ folder, states: ["second"] });
    assert.match(await second.end(), /another process uses the folder/);
    assertTidy(readdirSync(folder));
  }
});

test("a process that only waits does not hold up: a stopped one still holds the folder", {
  timeout,
  skip: skipPosix,
}, async (t) => {
  const folder = await temporaryFolder(t);
  const first = new Program({ folder, states: ["first"], stay: true });
  t.after(() => first.kill());
  await first.says("saved");
  process.kill(first.child.pid!, "SIGSTOP");
  await assert.rejects(loaded(folder), { message: IN_USE });
});

test("a process that ends by itself lets go", { timeout, skip: skipPosix }, async (t) => {
  const folder = await temporaryFolder(t);
  for (const state of ["1", "2"]) {
    assert.match(await new Program({ folder, states: [state] }).end(), /^saved$/m);
  }
  assert.equal(await loaded(folder), "2");
});

test("many processes start at once behind a crash: exactly one gets the folder", {
  timeout: 60_000,
  skip: skipPosix,
}, async (t) => {
  for (let round = 0; round < 3; round++) {
    const folder = await temporaryFolder(t);
    const dead = new Program({ folder, states: ["before"], stay: true });
    await dead.says("saved");
    await dead.kill();
    const programs = Array.from(
      { length: 6 },
      (_, i) => new Program({ folder, states: [`${i}`], stay: true, wait: true }),
    );
    t.after(() => Promise.all(programs.map((program) => program.kill())));
    await Promise.all(programs.map((program) => program.says("ready")));
    for (const { child } of programs) child.stdin?.write("go\n");
    const outcomes = await Promise.all(
      programs.map((program) =>
        Promise.race([program.says("saved").then(() => "saved"), program.says("failed")])
      ),
    );
    const losers = outcomes.filter((outcome) => outcome !== "saved");
    assert.equal(losers.length, 5, outcomes.join("\n"));
    for (const loser of losers) {
      assert.match(loser, /^ExternalError checkpoint .* as another process uses the folder/);
    }
    const owner = outcomes.indexOf("saved");
    await Promise.all(programs.map((program) => program.kill()));
    assert.equal(await loaded(folder), `${owner}`);
    assertTidy(readdirSync(folder));
  }
});

for (const how of ["taken over", "emptied", "removed"] as const) {
  test(`a holder whose folder was ${how} stops before its next write, and for good`, {
    timeout,
    skip: skipPosix,
  }, async (t) => {
    const base = await temporaryFolder(t);
    const folder = join(base, "state");
    const store = new FileCheckpointStore(folder);
    await store.save(KEY, bytes("old"));
    await store.save("another", bytes("old"));
    // As another machine does that shares the folder: there, nobody seems to hold it.
    if (how === "taken over") writeFileSync(join(folder, "holder"), "0123456789abcdef");
    if (how === "emptied") { for (const name of readdirSync(folder)) rmSync(join(folder, name)); }
    if (how === "removed") rmSync(folder, { recursive: true });
    const error = {
      code: "checkpoint",
      message: how === "taken over" ? TAKEN : /the folder was removed or emptied/,
    };
    await assert.rejects(store.save(KEY, bytes("stale")), error);
    await assert.rejects(store.save(KEY, bytes("stale again")), error);
    await assert.rejects(store.save("another", bytes("stale")), error);
    // Whoever begins anew takes the folder again, as nobody alive has it, and does not let the old ones on.
    const other = new FileCheckpointStore(folder);
    const state = await other.load(KEY);
    assert.equal(
      state && new TextDecoder().decode(state),
      how === "taken over" ? "old" : undefined,
    );
    await other.save(KEY, bytes("new"));
    await assert.rejects(store.save(KEY, bytes("stale")), { code: "checkpoint", message: TAKEN });
    assert.equal(await loaded(folder), "new");
    // So does the old store itself, once it loads.
    await store.load("another");
    await store.save("another", bytes("newer"));
  });
}

test("who holds the folder cannot be read: that is told as it is, and may pass", {
  timeout,
  skip: skipPosix,
}, async (t) => {
  const folder = await temporaryFolder(t);
  const store = new FileCheckpointStore(folder);
  await store.save(KEY, bytes("old"));
  const id = readFileSync(join(folder, "holder"), "utf8");
  rmSync(join(folder, "holder"));
  mkdirSync(join(folder, "holder"));
  await assert.rejects(store.save(KEY, bytes("new")), { code: "EISDIR" });
  rmdirSync(join(folder, "holder"));
  writeFileSync(join(folder, "holder"), id);
  await store.save(KEY, bytes("new"));
  assert.equal(await loaded(folder), "new");
});

test("a folder that is taken over between the write and the rename keeps the other one's state", {
  timeout,
  skip: skipPosix,
}, async (t) => {
  const folder = await temporaryFolder(t);
  const store = new FileCheckpointStore(folder);
  await store.save(KEY, bytes("old"));
  const file = await fs.open(join(folder, "lock.any"), "w");
  await file.close();
  const methods = Object.getPrototypeOf(file);
  const { sync } = methods;
  mock.method(methods, "sync", async function (this: fs.FileHandle) {
    mock.restoreAll();
    await sync.call(this);
    writeFileSync(await store.locate(KEY), "of the other");
    writeFileSync(join(folder, "holder"), "0123456789abcdef");
  });
  t.after(() => mock.restoreAll());
  await assert.rejects(store.save(KEY, bytes("stale")), { code: "checkpoint", message: TAKEN });
  assert.equal(readFileSync(await store.locate(KEY), "utf8"), "of the other");
  assert.deepEqual(readdirSync(folder).filter((name) => name.endsWith(".tmp")), []);
});

test("a save behind one of a lock that was lost does not share its fate", {
  timeout,
  skip: skipPosix,
}, async (t) => {
  const folder = await temporaryFolder(t);
  const store = new FileCheckpointStore(folder);
  await store.save(KEY, bytes("old"));
  await store.save("another", bytes("old"));
  const file = await fs.open(join(folder, "lock.any"), "w");
  await file.close();
  const methods = Object.getPrototypeOf(file);
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
  const second = store.save(KEY, bytes("2"));
  writeFileSync(join(folder, "holder"), "0123456789abcdef");
  await assert.rejects(store.save("another", bytes("3")), { message: TAKEN });
  await store.load(KEY);
  const third = store.save(KEY, bytes("4"));
  goOn();
  await assert.rejects(first, { message: TAKEN });
  await assert.rejects(second, { message: TAKEN });
  await third;
  assert.equal(await loaded(folder), "4");
});

test("locks of release 0.1 do not hold up, and are removed, so that their holder stops", {
  timeout,
  skip: skipPosix,
}, async (t) => {
  for (const number of [1, 7, 999_999_999_999_999]) {
    const folder = join(await temporaryFolder(t), "state");
    mkdirSync(folder, { mode: 0o700 });
    symlinkSync("0123456789abcdef.sock", join(folder, `lock.${number}`));
    writeFileSync(join(folder, "0123456789abcdef.sock"), "");
    writeFileSync(join(folder, "lock.of-mine"), "");
    assert.equal(await loaded(folder), undefined);
    assert.deepEqual(readdirSync(folder).sort(), ["holder", "lock", "lock.of-mine"]);
  }
});
