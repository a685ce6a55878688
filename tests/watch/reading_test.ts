// Every way to read a watch.
import { ExternalWatch, watchExternal } from "@koprs/external";
import assert from "node:assert/strict";
import { test } from "node:test";
import { added, type Event, ManualSource, settle } from "./_watch.ts";

test("async iteration reads the stream", async () => {
  const seen: string[] = [];
  let n = 0;
  const source = { name: "count", poll: () => Promise.resolve([added(`${n++}`), added(`${n++}`)]) };
  for await (const event of watchExternal(source, 1)) {
    seen.push(event.item);
    if (seen.length === 5) break;
  }
  assert.deepEqual(seen, ["0", "1", "2", "3", "4"]);
  assert.equal(n, 6);
});

test("pipeTo reads one event at a time, and writes them all", async () => {
  const seen: string[] = [];
  const watch = watchExternal({
    name: "pair",
    poll: () => Promise.resolve([added("a"), added("b")]),
  }, 1);
  let busy = false;
  await watch.pipeTo(
    new WritableStream({
      async write(event) {
        assert.equal(busy, false);
        busy = true;
        await settle();
        busy = false;
        seen.push(event.item);
        assert.ok(watch.status.events <= seen.length + 1, "nothing is read ahead");
        if (seen.length === 3) watch.close();
      },
    }),
  );
  assert.deepEqual(seen, ["a", "b", "a", "b"], "close lets the events already found through");
});

test("pipeTo ends the watch when the writer fails", async () => {
  const thrown = new Error("no space");
  const watch = watchExternal({ name: "one", poll: () => Promise.resolve([added("a")]) }, 1);
  const writable = new WritableStream({
    write() {
      throw thrown;
    },
  });
  await assert.rejects(watch.pipeTo(writable), (error) => error === thrown);
  assert.equal(watch.status.phase, "closed");
});

test("pipeThrough transforms the events", async () => {
  const watch = watchExternal({ name: "one", poll: () => Promise.resolve([added("a")]) }, 1);
  const types = watch.pipeThrough(
    new TransformStream<Event, string>({
      transform: (event, controller) => controller.enqueue(event.type),
    }),
  );
  for await (const type of types) {
    assert.equal(type, "added");
    break;
  }
  await settle();
  assert.equal(watch.status.phase, "closed");
});

test("tee gives every event to both branches", async () => {
  let n = 0;
  const watch = watchExternal({ name: "n", poll: () => Promise.resolve([added(`${n++}`)]) }, 1);
  const [left, right] = watch.tee().map((branch) => branch.getReader());
  for (const item of ["0", "1", "2"]) {
    assert.deepEqual((await left!.read()).value, added(item));
    assert.deepEqual((await right!.read()).value, added(item));
  }
  await Promise.all([left!.cancel(), right!.cancel()]);
  assert.equal(watch.status.phase, "closed");
});

test("a watch is a ReadableStream, and names its source", async () => {
  const watch = watchExternal(new ManualSource(), 1);
  assert.ok(watch instanceof ReadableStream);
  assert.ok(watch instanceof ExternalWatch);
  assert.equal(watch.source, "manual");
  assert.equal(watch.locked, false);
  await watch.cancel();
});

test("await using ends the watch with its block", async (t) => {
  let block: (watch: AsyncDisposable) => Promise<void>;
  try {
    // Node 22 does not know the syntax, and would refuse this whole file.
    block = new Function("watch", "return (async () => { await using w = watch; })()") as never;
  } catch {
    return t.skip("this runtime has no 'await using'");
  }
  const watch = watchExternal(new ManualSource(), 1);
  await block(watch);
  assert.equal(watch.status.phase, "closed");
});
