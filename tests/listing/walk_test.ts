import type { ObjectMeta } from "@koprs/external/store";
import assert from "node:assert/strict";
import { test } from "node:test";
import { workSince } from "../errors/_cpu.ts";
import { countListeners } from "../bounds/_listeners.ts";
import { mayHold, type Task, walk } from "../../_listing/walk.ts";

function objects(...keys: string[]): ObjectMeta[] {
  return keys.map((key) => ({ key, size: 0 }));
}

/** Counts tasks. Each takes some turns of the event loop. */
class Tasks {
  begun = 0;
  running = 0;
  most = 0;

  make(steps: () => Awaited<ReturnType<Task>>, turns = 1): Task {
    return async () => {
      this.begun++;
      this.most = Math.max(this.most, ++this.running);
      for (let i = 0; i < turns; i++) await new Promise((resolve) => setTimeout(resolve));
      this.running--;
      return steps();
    };
  }

  /** A folder of folders, each with one part to look at. */
  tree(folders: number, turns: (i: number) => number): Task {
    return this.make(() =>
      Array.from(
        { length: folders },
        (_, i) => this.make(() => [this.make(() => [objects(`${i}`)], turns(i))], turns(i + 1)),
      )
    );
  }
}

async function keysOf(pages: AsyncIterable<readonly ObjectMeta[]>): Promise<string[]> {
  return (await Array.fromAsync(pages)).flat().map(({ key }) => key);
}

test("walk: the order is that of the steps, whichever task ends first", async () => {
  for (const ahead of [1, 2, 8, 100]) {
    const tasks = new Tasks();
    const keys = await keysOf(walk(tasks.tree(100, (i) => i * 7 % 5), { ahead }));
    assert.deepEqual(keys, Array.from({ length: 100 }, (_, i) => `${i}`));
    assert.equal(tasks.begun, 201, "each runs once");
    assert.ok(tasks.most <= ahead, `${tasks.most} at once`);
  }
});

test("walk: what folders lead to is looked at side by side", async () => {
  const tasks = new Tasks();
  let [running, most] = [0, 0];
  const leaf = (): Task => async () => {
    most = Math.max(most, ++running);
    await new Promise((resolve) => setTimeout(resolve, 5));
    running--;
    return [objects("a")];
  };
  const root = tasks.make(() => Array.from({ length: 20 }, () => tasks.make(() => [leaf()])));
  assert.equal((await keysOf(walk(root, { ahead: 4 }))).length, 20);
  assert.equal(most, 4);
});

test("walk: a first task that does not end keeps the others from running on and on", async () => {
  const tasks = new Tasks();
  let end = () => {};
  const slow: Task = () => new Promise((resolve) => end = () => resolve([objects("first")]));
  const others = Array.from(
    { length: 1_000 },
    () => tasks.make(() => [tasks.make(() => [objects("a")])]),
  );
  const keys = keysOf(walk(() => Promise.resolve([slow, ...others]), { ahead: 8 }));
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.ok(tasks.begun >= 7 && tasks.begun <= 32, `${tasks.begun} begun`);
  end();
  assert.equal((await keys).length, 1_001);
});

test("walk: a failure comes in its turn and ends the walk", async () => {
  const tasks = new Tasks();
  const failure = new Error("broken");
  const bad: Task = () => Promise.reject(failure);
  const root = tasks.make(() => [
    tasks.make(() => [Array.from({ length: 1_000 }, () => objects("a")).flat()], 5),
    tasks.make(() => [bad]),
    ...Array.from({ length: 100 }, () => tasks.make(() => [])),
  ]);
  const pages = walk(root, { ahead: 3 });
  assert.equal((await pages.next()).value?.length, 1_000);
  await assert.rejects(pages.next(), (error) => error === failure);
  const { begun } = tasks;
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(tasks.begun, begun, "nothing is begun any more");
});

test("walk: an abort ends a walk that hangs, and aborts its tasks", async () => {
  const controller = new AbortController();
  const reason = new Error("enough");
  let told: unknown;
  const hanging: Task = (signal) => {
    signal.addEventListener("abort", () => told = signal.reason);
    return new Promise(() => {});
  };
  const pages = walk(() => Promise.resolve([hanging]), { ahead: 2, signal: controller.signal });
  setTimeout(() => controller.abort(reason), 5);
  const work = workSince();
  await assert.rejects(pages.next(), (error) => error === reason);
  assert.ok(work() < 50);
  assert.equal(told, reason);
});

test("walk: pages are of a thousand objects, whatever the steps are", async () => {
  const sizes = async (...steps: number[]) => {
    const root: Task = () =>
      Promise.resolve(steps.map((count) => objects(...Array.from({ length: count }, String))));
    return (await Array.fromAsync(walk(root, { ahead: 1 }))).map(({ length }) => length);
  };
  assert.deepEqual(await sizes(), []);
  assert.deepEqual(await sizes(0, 0), []);
  assert.deepEqual(await sizes(1), [1]);
  assert.deepEqual(await sizes(500, 500), [1_000]);
  assert.deepEqual(await sizes(1_500, 500, 1), [1_000, 1_000, 1]);
});

test("walk: an abort between two pages ends it, and leaves no listener", async () => {
  const controller = new AbortController();
  const { signal } = controller;
  const listeners = countListeners(signal);
  const root: Task = () => Promise.resolve([objects(...Array.from({ length: 2_001 }, String))]);
  const pages = walk(root, { ahead: 1, signal });
  assert.equal((await pages.next()).value?.length, 1_000);
  assert.equal(listeners(), 1);
  controller.abort(new Error("enough"));
  await assert.rejects(pages.next(), /enough/);
  assert.equal(listeners(), 0);
  const unread: Task = () => assert.fail("nothing is read");
  await assert.rejects(walk(unread, { ahead: 1, signal }).next(), /enough/);
});

test("walk: what is under way is aborted when nobody reads on", async () => {
  let told: AbortSignal | undefined;
  const hanging: Task = (signal) => {
    told = signal;
    return new Promise(() => {});
  };
  const root: Task = () =>
    Promise.resolve([objects(...Array.from({ length: 1_000 }, String)), hanging]);
  for await (const _page of walk(root, { ahead: 2 })) break;
  assert.equal(told?.aborted, true);
});

test("a folder may hold a prefix, or be under it", () => {
  for (const prefix of ["", "a", "a/", "a/b", "a/b/c"]) assert.ok(mayHold("a/", prefix), prefix);
  for (const prefix of ["b", "a-", "aa", "/"]) assert.ok(!mayHold("a/", prefix), prefix);
});
