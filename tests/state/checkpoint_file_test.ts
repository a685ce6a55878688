// FileCheckpointStore on a real file system: names, crashes at every step, folders that cannot be used, and
// one process a folder.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { mock, test } from "node:test";
import { fileURLToPath } from "node:url";
import { ObjectStorePoller, watchExternal } from "@koprs/external";
import { FileCheckpointStore } from "@koprs/external/checkpoints/file";
import { MemoryStore } from "@koprs/external/stores/memory";
import { checkpointName } from "../../_state/name.ts";
import type { FileWorkerOptions } from "./_file_checkpoint_worker.ts";
import { isDeno } from "../watch/_watch.ts";

const timeout = 30_000;
const KEY = "the source";
const skipPosix = process.platform === "win32" ? "not for Windows" : false;

interface Scope {
  after(callback: () => unknown): void;
}

async function temporaryFolder(scope: Scope): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "koprs-external-"));
  scope.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

async function loaded(folder: string): Promise<string | undefined> {
  const state = await new FileCheckpointStore(folder).load(KEY);
  return state && new TextDecoder().decode(state);
}

/** A program of its own that uses a folder. */
class Program {
  readonly child: ChildProcess;
  output = "";
  readonly #ended: Promise<void>;
  readonly #waiting = new Set<() => void>();
  signal: string | null = null;
  over = false;

  constructor(options: FileWorkerOptions, limit?: string) {
    const worker = fileURLToPath(new URL("./_file_checkpoint_worker.ts", import.meta.url));
    const args = [...isDeno ? ["run", "-A", "--no-check"] : [], worker, JSON.stringify(options)];
    const command = limit === undefined
      ? [process.execPath, ...args]
      : ["sh", "-c", `${limit}; exec "$0" "$@"`, process.execPath, ...args];
    this.child = spawn(command[0] as string, command.slice(1), {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...process.env, NO_COLOR: "1" },
    });
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.output += text;
        for (const check of this.#waiting) check();
      });
    }
    this.child.stdin?.on("error", () => {});
    this.#ended = new Promise((resolve) =>
      this.child.once("close", (_code, signal) => {
        this.signal = signal;
        this.over = true;
        for (const check of this.#waiting) check();
        resolve();
      })
    );
  }

  /** The rest of the first line that begins so. */
  says(word: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const check = () => {
        const line = this.output.split("\n").slice(0, -1).find((line) => line.startsWith(word));
        if (line !== undefined) resolve(line.slice(word.length).trim());
        else if (this.over) reject(new Error(`It ended without '${word}': ${this.output}`));
        else return;
        this.#waiting.delete(check);
      };
      this.#waiting.add(check);
      check();
    });
  }

  async end(): Promise<string> {
    await this.#ended;
    return this.output;
  }

  async kill(): Promise<void> {
    this.child.kill("SIGKILL");
    await this.#ended;
  }
}

test("names are readable, short, safe, and different for different keys", async () => {
  const hostile = [
    "",
    ".",
    "..",
    "/",
    "//",
    "a/b",
    "a\\b",
    "a:b",
    "a b",
    "a_b",
    "A_b",
    "a_B",
    "ä",
    "a\u0308",
    "\u00e4b",
    "CON",
    "con",
    "nul.txt",
    "-rf",
    "~",
    "$HOME",
    "*",
    "?",
    "a\nb",
    "a\0b",
    "a\u202eb",
    "\ud800",
    "\ud801",
    "\ufffd",
    "𝒳",
    "__proto__",
    "s3://bucket/a",
    "s3://bucket/A",
    "s3://bucket_a",
    "x".repeat(300),
    "x".repeat(301),
    ".hidden",
    "../../etc/passwd",
    "lock.1",
    "a.checkpoint",
    "a.checkpoint.0123456789abcdef.tmp",
    "trailing.",
    "trailing ",
  ];
  const names = await Promise.all(hostile.map(checkpointName));
  // As on file systems that fold case.
  assert.equal(new Set(names.map((name) => name.toLowerCase())).size, hostile.length);
  for (const name of names) {
    assert.match(
      name,
      /^[A-Za-z0-9_][A-Za-z0-9_.-]*-[0-9a-f]{32}\.checkpoint$|^-?[0-9a-f]{32}\.checkpoint$|^-[0-9a-f]{32}\.checkpoint$/,
    );
    assert(name.length <= 128);
  }
  assert.match(await checkpointName("s3://bucket/a"), /^s3_bucket_a-/);
});

test("each key has its own file; the folder is made, and only the user can read the files", {
  timeout,
}, async (t) => {
  const folder = join(await temporaryFolder(t), "a/b");
  const store = new FileCheckpointStore(folder);
  assert.equal(existsSync(folder), false, "nothing is touched before it is used");
  const keys = ["a", "A", "a/b", "a\\b", "", "x".repeat(1000), "../a"];
  for (const key of keys) assert.equal(await store.load(key), undefined);
  for (const key of keys) await store.save(key, bytes(`state of ${key}`));
  for (const key of keys) assert.deepEqual(await store.load(key), bytes(`state of ${key}`));
  const files = readdirSync(folder).filter((name) => name.endsWith(".checkpoint"));
  assert.equal(files.length, keys.length);
  for (const name of files) {
    if (!skipPosix) assert.equal(statSync(join(folder, name)).mode & 0o777, 0o600);
  }
  assert((await store.locate("a")).startsWith(folder));
});

test("saves at once are done one after the other", { timeout }, async (t) => {
  const store = new FileCheckpointStore(await temporaryFolder(t));
  const states = Array.from({ length: 20 }, (_, i) => String(i).repeat(1 + (i * 7919) % 5000));
  await Promise.all(states.map((state) => store.save(KEY, bytes(state))));
  assert.deepEqual(await store.load(KEY), bytes(states.at(-1)!));
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

test("a folder that is none, or cannot be written, is a clear error that ends the watch", {
  timeout,
}, async (t) => {
  const base = await temporaryFolder(t);
  writeFileSync(join(base, "file"), "");
  for (const folder of [join(base, "file"), join(base, "file/below")]) {
    const watch = watchExternal(new ObjectStorePoller(new MemoryStore()), {
      interval: 1,
      checkpoint: new FileCheckpointStore(folder),
      logger: false,
    });
    await assert.rejects(watch.getReader().read(), {
      name: "ExternalError",
      code: "checkpoint",
      message:
        /^Cannot keep checkpoints in '.*file.*': E\w+: .*: it must be a folder.* read and write$/,
    });
  }
});

test("a folder the user may not write to is a clear error", {
  timeout,
  skip: skipPosix || (process.getuid?.() !== 0 && "only root can become another user"),
}, async (t) => {
  const folder = await temporaryFolder(t);
  chmodSync(folder, 0o755);
  const output = await new Program({ folder, states: ["x"], user: 65534 }).end();
  assert.match(
    output,
    /^failed ExternalError checkpoint Cannot keep checkpoints in '.*': .*EACCES: .*may read and write$/m,
  );
  assert.deepEqual(readdirSync(folder), []);
});

test(
  "a full disk is reported as it is, and the old state stays",
  { timeout, skip: skipPosix },
  async (t) => {
    const folder = await temporaryFolder(t);
    // A limit of the kernel for the size of files: a real error in the middle of a real write.
    const output = await new Program(
      { folder, states: ["old"], large: 50_000_000 },
      "trap '' XFSZ; ulimit -f 80000",
    ).end();
    assert.match(output, /^failed \w+ (EFBIG|ENOSPC|undefined) .*(EFBIG|too large|no space)/mi);
    assert.deepEqual(readdirSync(folder).filter((name) => name.endsWith(".tmp")), []);
    assert.equal(await loaded(folder), "old");
  },
);

test("two processes on one folder: the second says so; kill -9 of the first lets go", {
  timeout,
  skip: skipPosix,
}, async (t) => {
  // One path is longer than a socket's may be.
  for (const name of ["short", `long-${"x".repeat(120)}`]) {
    const folder = join(await temporaryFolder(t), name);
    const first = new Program({ folder, states: ["first"], stay: true });
    t.after(() => first.kill());
    await first.says("saved");
    for (let i = 0; i < 2; i++) {
      await assert.rejects(new FileCheckpointStore(folder).load(KEY), {
        name: "ExternalError",
        code: "checkpoint",
        message:
          /^Cannot keep checkpoints in '.*' as another process uses the folder: end that process/,
      });
    }
    assert.equal(readdirSync(folder).filter((name) => name.endsWith(".sock")).length, 1);
    await first.kill();
    assert.equal(await loaded(folder), "first");
    const second = new Program({ folder, states: ["second"] });
    assert.match(await second.end(), /another process uses the folder/);
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
  await assert.rejects(loaded(folder), { message: /another process uses the folder/ });
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
    assert(readdirSync(folder).filter((name) => /^lock\./.test(name)).length <= 2);
  }
});

test("a holder that was replaced, or whose folder is gone, stops before its next write", {
  timeout,
  skip: skipPosix,
}, async (t) => {
  const { symlinkSync, rmSync } = await import("node:fs");
  for (const how of ["replaced", "emptied"] as const) {
    const folder = await temporaryFolder(t);
    const store = new FileCheckpointStore(folder);
    await store.save(KEY, bytes("old"));
    const lock = readdirSync(folder).find((name) => name.startsWith("lock."))!;
    // As another machine does that shares the folder: it cannot see that this process is alive.
    if (how === "replaced") {
      symlinkSync("0123456789abcdef.sock", join(folder, `lock.${Number(lock.slice(5)) + 1}`));
    } else rmSync(join(folder, lock));
    await assert.rejects(store.save(KEY, bytes("stale")), {
      code: "checkpoint",
      message: how === "replaced"
        ? /another process has taken over the folder/
        : /the folder was removed or emptied/,
    });
    assert.equal(
      await loaded(folder),
      "old",
      "a new store takes the folder again, as nobody alive has it",
    );
  }
});

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
