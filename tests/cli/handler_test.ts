// The events of one target: each printed once, and its program run until it succeeds.
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { EventHandler } from "../../_cli/handler.ts";
import { parseOptions } from "../../_cli/options.ts";
import type { Done, Item } from "../../_cli/report.ts";
import { MemoryStore } from "../../stores/memory.ts";
import { recordingReport } from "./_report.ts";
import { temporaryFolder } from "./_program.ts";
import { recordingScreen } from "./_screen.ts";

const options = {
  timeout: 30_000,
  skip: process.platform === "win32" && "the commands are those of Unix",
};
const context = { signal: new AbortController().signal, attempt: 1 };

function handlerOf(args: readonly string[], store = new MemoryStore()) {
  const source = { name: "memory://", poll: () => Promise.resolve([]) };
  const { screen, written } = recordingScreen();
  const { report, events, notes } = recordingReport();
  let unfit = 0;
  const handler = new EventHandler(
    { source, store },
    { options: parseOptions(args), report, screen },
    () => unfit++,
  );
  return {
    /** What was printed of the event, as far as it was. */
    async handle(type: "added" | "modified" | "removed", item: Item): Promise<Done | undefined> {
      const before = events.length;
      await handler.handle({ type, item }, context);
      return events[before]?.done;
    },
    handler,
    events,
    notes,
    written,
    unfit: () => unfit,
  };
}

test("an event is printed with its source", async () => {
  const { handle, events } = handlerOf([]);
  await handle("added", { key: "a", size: 5 });
  const event = { type: "added", item: { key: "a", size: 5 } };
  assert.deepEqual(events, [{ source: "memory://", event, done: {} }]);
});

test("an event that is tried again is printed once for each state", options, async (t) => {
  const folder = await temporaryFolder(t);
  // Succeeds once the file is there.
  const { handle, events } = handlerOf(["--exec", `test -e ${join(folder, "{key}")}`]);
  const item = { key: "a", size: 1, etag: '"1"', lastModified: 5 };
  const failing = async (type: "added" | "modified", item: Item, count: number) => {
    await assert.rejects(handle(type, item), { message: /exit code 1$/ });
    assert.equal(events.length, count);
  };
  await failing("added", item, 1);
  await failing("added", item, 1);
  await failing("modified", item, 2);
  await failing("modified", { ...item, size: 2 }, 3);
  await failing("modified", { ...item, size: 2, etag: '"2"' }, 4);
  const last = { ...item, size: 2, etag: '"2"', lastModified: 6 };
  await failing("modified", last, 5);
  await failing("modified", { ...last, key: "b" }, 6);
  await failing("modified", last, 6);
  await writeFile(join(folder, "a"), "");
  await handle("modified", last);
  assert.equal(events.length, 6);
  // It was handled: the same once more is news.
  await handle("modified", last);
  assert.equal(events.length, 7);
});

test("the program gets what is known of the event", options, async () => {
  const words = "{key} {type} {source} {size} x{etag}";
  const { handle, written } = handlerOf(["--exec", `echo ${words}`]);
  await handle("modified", { key: "a", size: 5, etag: '"1"' });
  await handle("removed", { key: "b" });
  assert.deepEqual(written, [
    [process.stdout, 'a modified memory:// 5 x"1"\n'],
    [process.stdout, "b removed memory:// 0 x\n"],
  ]);
});

test("its output is that of a program beside others, or beside JSON lines", options, async () => {
  const plain = handlerOf(["--exec", "printf {key}"]);
  await plain.handle("added", { key: "a" });
  assert.deepEqual(plain.written, [[process.stdout, "a"]]);
  const several = handlerOf(["--exec", "printf {key}", "--concurrency", "2"]);
  await several.handle("added", { key: "a" });
  assert.deepEqual(several.written, [[process.stdout, "a\n"]]);
  const json = handlerOf(["--exec", "printf {key}", "--json"]);
  await json.handle("added", { key: "a" });
  assert.deepEqual(json.written, [[process.stderr, "a"]]);
});

test("a program that needs a file runs if there is one, or was", options, async (t) => {
  const folder = await temporaryFolder(t);
  const store = new MemoryStore();
  const args = ["--download", folder, "--exec", "echo {type} x{file}"];
  const { handle, written } = handlerOf(args, store);
  const { etag } = await store.put("a", "a");
  assert.deepEqual(await handle("added", { key: "a", etag }), { file: join(folder, "a") });
  // Gone since it was listed.
  assert.deepEqual(await handle("added", { key: "b", etag }), {});
  await handle("removed", { key: "a", etag });
  assert.deepEqual(written.map(([, text]) => text), [
    `added x${join(folder, "a")}\n`,
    "removed x\n",
  ]);
  const other = handlerOf(["--download", folder, "--exec", "echo {key}"], store);
  await other.handle("added", { key: "b", etag });
  assert.deepEqual(other.written.map(([, text]) => text), ["b\n"]);
});

test("what no attempt can handle is noted and left out", options, async (t) => {
  const folder = await temporaryFolder(t);
  const store = new MemoryStore();
  const long = "x".repeat(300);
  await store.put(long, "");
  const { handle, events, notes, unfit } = handlerOf(["--download", folder], store);
  await handle("added", { key: long });
  assert.deepEqual(notes, [
    `Cannot handle '${long}' as a part of the key is too long for the name of a file: left out`,
  ]);
  assert.deepEqual([events.length, unfit()], [0, 1]);
  const running = handlerOf(["--exec", "echo {key}"]);
  await running.handle("added", { key: "-rf" });
  await running.handle("added", { key: "-rf" });
  assert.match(running.notes.join(), /^Cannot handle '-rf' as the key begins with '-'/);
  assert.deepEqual([running.events.length, running.unfit()], [2, 2]);
});
