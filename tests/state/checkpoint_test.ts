// W5 and C1: when a watch loads and saves its state, and which state it refuses.
import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mock, test } from "node:test";
import {
  type CheckpointStore,
  CollectionPoller,
  ExternalError,
  type ExternalEvent,
  type ExternalSource,
  type ExternalWatch,
  HttpPoller,
  MemoryCheckpointStore,
  ObjectStorePoller,
  watchExternal,
  type WatchOptions,
} from "@koprs/external";
import { FileCheckpointStore } from "@koprs/external/checkpoints/file";
import type { ObjectMeta } from "@koprs/external/store";
import { MemoryStore } from "@koprs/external/stores/memory";
import { serve } from "../http/_http_server.ts";
import { settle } from "../watch/_watch.ts";

const timeout = 20_000;

/** Keeps one state, tells of every call, and fails when it is told to. */
class ScriptedStore implements CheckpointStore {
  readonly calls: string[] = [];
  readonly saved: Uint8Array[] = [];
  state: Uint8Array | undefined;
  failLoad: unknown;
  failSave: unknown;
  onSave: (state: Uint8Array) => unknown = () => {};

  load(key: string): Promise<Uint8Array | undefined> {
    this.calls.push(`load ${key}`);
    return this.failLoad === undefined
      ? Promise.resolve(this.state)
      : Promise.reject(this.failLoad);
  }

  async save(key: string, state: Uint8Array): Promise<void> {
    this.calls.push(`save ${key}`);
    if (this.failSave !== undefined) throw this.failSave;
    await this.onSave(state);
    this.saved.push(state.slice());
    this.state = state.slice();
  }
}

/** Says in `calls` when it is polled. */
function observed<T>(source: ExternalSource<T>, calls: string[]): ExternalSource<T> {
  return {
    name: source.name,
    poll(options) {
      calls.push("poll");
      return source.poll(options);
    },
    save: () => source.save!(),
    restore: (state) => source.restore!(state),
  };
}

/** What a watch that goes on from this state reports first. */
async function behind(state: Uint8Array | undefined, store: MemoryStore): Promise<string[]> {
  const poller = new ObjectStorePoller(store);
  if (state !== undefined) poller.restore(state);
  return [...await poller.poll({ signal: new AbortController().signal })].map(shown);
}

function shown({ type, item }: ExternalEvent<ObjectMeta>): string {
  return `${type} ${item.key}`;
}

/** A watch that ends with its test. */
function watching<T>(
  t: { after(callback: () => unknown): void },
  source: ExternalSource<T>,
  options: WatchOptions,
): ExternalWatch<T> {
  const watch = watchExternal(source, options);
  t.after(() => watch[Symbol.asyncDispose]());
  return watch;
}

async function fill(store: MemoryStore, ...keys: string[]): Promise<void> {
  for (const key of keys) await store.put(key, key);
}

test(
  "the state is loaded once, before the first poll, and not before the first read",
  { timeout },
  async (t) => {
    const store = new MemoryStore();
    await fill(store, "a");
    const checkpoint = new ScriptedStore();
    const source = observed(new ObjectStorePoller(store), checkpoint.calls);
    const watch = watching(t, source, { interval: 1, checkpoint });
    await settle();
    assert.equal(checkpoint.calls.length, 0);
    const reader = watch.getReader();
    await reader.read();
    assert.deepEqual(checkpoint.calls.slice(0, 2), ["load memory://", "poll"]);
    const next = reader.read();
    await fill(store, "b");
    await next;
    assert.equal(checkpoint.calls.filter((call) => call.startsWith("load")).length, 1);
  },
);

test(
  "W5: a state is saved behind handled events, and names those to come again",
  { timeout },
  async (t) => {
    const store = new MemoryStore();
    await fill(store, "a", "b", "c");
    const checkpoint = new ScriptedStore();
    const watch = watching(t, new ObjectStorePoller(store), { interval: 1, checkpoint });
    const reader = watch.getReader();
    for (let handled = 0; handled < 3; handled++) {
      await reader.read();
      // None of them is known to be handled whole: a crash now brings all of them again.
      assert.deepEqual(await behind(checkpoint.state, store), ["added a", "added b", "added c"]);
    }
    const saves = checkpoint.saved.length;
    const next = reader.read(); // The third is handled.
    await watch.synced;
    await settle();
    assert.equal(checkpoint.saved.length, saves + 1);
    assert.deepEqual(await behind(checkpoint.state, store), []);
    await watch[Symbol.asyncDispose]();
    await next;
  },
);

test("C2: what was announced and is gone by the next start is removed", { timeout }, async () => {
  const store = new MemoryStore();
  await fill(store, "a", "b");
  const checkpoint = new ScriptedStore();
  const watch = watchExternal(new ObjectStorePoller(store), { interval: 1, checkpoint });
  assert.equal(shown((await watch.getReader().read()).value!), "added a");
  await watch[Symbol.asyncDispose](); // As by a crash, with "a" in flight.
  await store.delete("a");
  assert.deepEqual(await behind(checkpoint.state, store), ["removed a", "added b"]);
});

test("a state is saved only when it changed", { timeout }, async (t) => {
  const store = new MemoryStore();
  await fill(store, "a");
  const checkpoint = new ScriptedStore();
  const source = observed(new ObjectStorePoller(store), checkpoint.calls);
  const watch = watching(t, source, { interval: 1, checkpoint });
  const reader = watch.getReader();
  await reader.read();
  const next = reader.read();
  while (checkpoint.calls.filter((call) => call === "poll").length < 6) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  // Announced, and handled.
  assert.equal(checkpoint.saved.length, 2);
  await fill(store, "b");
  await next;
  assert.equal(checkpoint.saved.length, 3);
});

test(
  "an empty first state is saved too, so that what comes next is known to be new",
  { timeout },
  async (t) => {
    const checkpoint = new ScriptedStore();
    const watch = watching(t, new ObjectStorePoller(new MemoryStore()), {
      interval: 1,
      checkpoint,
    });
    watch.getReader().read();
    await watch.synced;
    await settle();
    assert.equal(checkpoint.saved.length, 1);
  },
);

for (const large of [false, true]) {
  test(`a ${large ? "large" : "small"} delivery is saved in steps by ${large ? "count" : "time"}`, {
    timeout,
  }, async (t) => {
    const count = large ? 25_000 : 5;
    const keys = Array.from({ length: count }, (_, i) => String(i).padStart(6, "0"));
    const checkpoint = new MemoryCheckpointStore();
    const poller = () =>
      new CollectionPoller<string>({
        name: "numbers",
        async *list() {
          yield keys;
        },
        key: (key) => key,
      });
    let time = performance.now();
    mock.method(performance, "now", () => time);
    t.after(() => mock.restoreAll());
    const steps: number[] = [];
    let handled = 0;
    const { save } = checkpoint;
    checkpoint.save = async (key, state) => {
      await save.call(checkpoint, key, state);
      steps.push(handled);
      const again = poller();
      again.restore(state);
      const left = [...await again.poll({ signal: new AbortController().signal })];
      // What was handled does not come again, and all else does.
      assert.equal(left.length, count - handled);
      assert.equal(left[0]?.item, keys[handled]);
    };
    const watch = watchExternal(poller(), {
      interval: 1_000,
      checkpoint,
      onError(error) {
        throw error;
      },
    });
    const reader = watch.getReader();
    while (!(await reader.read()).done) {
      handled++; // Before the next one is asked for.
      if (!large) time += 3_000;
      if (handled === count) watch.close();
    }
    assert.deepEqual(steps, large ? [0, 10_000, 20_000, 25_000] : [0, 2, 4, 5]);
  });
}

test("a load that fails is a failed poll, and tried again", { timeout }, async (t) => {
  const store = new MemoryStore();
  await fill(store, "a");
  const before = new ObjectStorePoller(store);
  for (const _ of await before.poll({ signal: new AbortController().signal }));
  await fill(store, "b");
  const checkpoint = new ScriptedStore();
  checkpoint.state = before.save();
  checkpoint.failLoad = Object.assign(new Error("EIO: i/o error"), { code: "EIO" });
  const failures: string[] = [];
  const source = observed(new ObjectStorePoller(store), checkpoint.calls);
  const watch = watching(t, source, {
    interval: 1,
    checkpoint,
    onError(error, { attempt, wait }) {
      failures.push(`${attempt} ${error.message}`);
      assert(wait > 0);
      if (attempt === 3) checkpoint.failLoad = undefined;
    },
  });
  assert.equal(shown((await watch.getReader().read()).value!), "added b");
  const reason = "Cannot load the checkpoint of 'memory://': EIO: i/o error";
  assert.deepEqual(failures, [`1 ${reason}`, `2 ${reason}`, `3 ${reason}`]);
  assert.deepEqual(checkpoint.calls.slice(0, 5), [...Array(4).fill("load memory://"), "poll"]);
});

const FULL = Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" });
const FULL_MESSAGE = "Cannot save the checkpoint of 'memory://': ENOSPC: no space left on device";

test(
  "a save that fails behind handled events is reported, tried again, and does not end the stream",
  { timeout },
  async (t) => {
    const store = new MemoryStore();
    await fill(store, "a");
    const checkpoint = new ScriptedStore();
    const failures: ExternalError[] = [];
    const watch = watching(t, new ObjectStorePoller(store), {
      interval: 1,
      checkpoint,
      onError(error) {
        failures.push(error);
        if (failures.length === 5) checkpoint.failSave = undefined;
      },
    });
    const reader = watch.getReader();
    assert.equal(shown((await reader.read()).value!), "added a");
    const announced = checkpoint.saved.length;
    checkpoint.failSave = FULL;
    const next = reader.read();
    while (checkpoint.saved.length === announced) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    assert.equal(failures.length, 5);
    for (const { code, message } of failures) {
      assert.equal(code, "checkpoint");
      assert.equal(message, FULL_MESSAGE);
    }
    assert.equal(watch.status.lastError, failures.at(-1));
    assert.equal(watch.status.failures, 0, "the polls are good");
    assert.deepEqual(await behind(checkpoint.state, store), []);
    await fill(store, "b");
    assert.equal(shown((await next).value!), "added b");
  },
);

test(
  "events that cannot be announced are not handed over: the poll has failed, and is tried again",
  { timeout },
  async (t) => {
    const store = new MemoryStore();
    await fill(store, "a");
    const checkpoint = new ScriptedStore();
    checkpoint.failSave = FULL;
    const attempts: number[] = [];
    const watch = watching(t, new ObjectStorePoller(store), {
      interval: 1,
      checkpoint,
      onError(error, { attempt }) {
        assert.equal(error.code, "checkpoint");
        assert.equal(error.message, FULL_MESSAGE);
        assert.equal(watch.status.events, 0);
        assert.equal(watch.status.failures, attempt);
        if (attempts.push(attempt) === 3) checkpoint.failSave = undefined;
      },
    });
    const { value } = await watch.getReader().read();
    assert.equal(shown(value!), "added a");
    assert.deepEqual(attempts, [1, 2, 3]);
    assert.equal(watch.status.failures, 0);
  },
);

for (const when of ["load", "save"] as const) {
  test(
    `a ${when} that rejects with code checkpoint ends the stream, untouched`,
    { timeout },
    async () => {
      const store = new MemoryStore();
      await fill(store, "a");
      const error = new ExternalError("checkpoint", "Cannot go on as another one has taken over");
      const checkpoint = new ScriptedStore();
      if (when === "load") checkpoint.failLoad = error;
      else checkpoint.failSave = error;
      const watch = watchExternal(new ObjectStorePoller(store), { interval: 1, checkpoint });
      await assert.rejects(watch.getReader().read(), (thrown) => thrown === error);
      assert.equal(watch.status.phase, "closed");
      assert.deepEqual(checkpoint.saved, []);
    },
  );
}

test(
  "close saves the last state before the stream closes, also after a failed save",
  { timeout },
  async () => {
    for (const failing of [false, true]) {
      const store = new MemoryStore();
      await fill(store, "a", "b");
      const checkpoint = new ScriptedStore();
      let failed = () => {};
      const failure = new Promise<void>((resolve) => failed = resolve);
      const watch = watchExternal(new ObjectStorePoller(store), {
        interval: 60_000,
        checkpoint,
        onError: () => failed(),
      });
      const reader = watch.getReader();
      await reader.read();
      await reader.read();
      if (failing) checkpoint.failSave = new Error("full");
      else watch.close();
      const end = reader.read();
      if (failing) {
        await failure;
        await settle();
        checkpoint.failSave = undefined;
        watch.close();
      }
      assert.equal((await end).done, true);
      assert.deepEqual(await behind(checkpoint.state, store), []);
    }
  },
);

test("close waits for a save under way, and the next watch for one that outlived its watch", {
  timeout,
}, async () => {
  const store = new MemoryStore();
  await fill(store, "a");
  const checkpoint = new ScriptedStore();
  const first = watchExternal(new ObjectStorePoller(store), { interval: 1, checkpoint });
  const reader = first.getReader();
  await reader.read();
  let goOn = () => {};
  checkpoint.onSave = () => new Promise<void>((resolve) => goOn = resolve);
  const end = reader.read();
  await first.synced;
  await settle();
  first.close();
  await first[Symbol.asyncDispose](); // Does not wait: the save goes on alone.
  assert.equal((await end).done, true);
  const second = watchExternal(new ObjectStorePoller(store), { interval: 1, checkpoint });
  const next = second.getReader().read();
  await settle();
  assert.equal(checkpoint.calls.filter((call) => call.startsWith("load")).length, 1);
  checkpoint.onSave = () => {};
  goOn();
  await fill(store, "b");
  assert.equal(shown((await next).value!), "added b", "and not 'a' again");
  await second[Symbol.asyncDispose]();
});

test("misuse is a TypeError", () => {
  const checkpoint = new MemoryCheckpointStore();
  const source = () => new ObjectStorePoller(new MemoryStore({ name: "s3://bucket" }));
  const first = watchExternal(source(), { interval: 1, checkpoint });
  assert.throws(() => watchExternal(source(), { interval: 1, checkpoint }), {
    name: "TypeError",
    message: /^Cannot watch 's3:\/\/bucket' as another watch keeps its checkpoint under this name/,
  });
  watchExternal(source(), { interval: 1, checkpoint: new MemoryCheckpointStore() }).close();
  first.close();
  watchExternal(source(), { interval: 1, checkpoint }).close();
  const bare = { name: "mine", poll: () => Promise.resolve([]) };
  for (
    const custom of [bare, { ...bare, save: () => new Uint8Array() }, { ...bare, restore() {} }]
  ) {
    assert.throws(() => watchExternal(custom, { interval: 1, checkpoint }), {
      name: "TypeError",
      message: /^Cannot watch 'mine' with a checkpoint as the source has no 'save' or no 'restore'/,
    });
  }
  for (const bad of [{}, null, { load() {} }, { save() {} }]) {
    assert.throws(
      () => watchExternal(source(), { interval: 1, checkpoint: bad as unknown as CheckpointStore }),
      TypeError,
    );
  }
  for (const bad of ["", undefined, 7, "a\0b"]) {
    assert.throws(() => new FileCheckpointStore(bad as string), TypeError);
  }
});

test("HTTP: behind a restart 304 and no event, or removed; no content and no secret is kept", {
  timeout,
}, async (t) => {
  let gone = false;
  const server = await serve(t, (request, response) => {
    if (gone) return response.writeHead(404).end();
    const known = request.headers["if-none-match"] === '"v1"';
    response.writeHead(known ? 304 : 200, { etag: '"v1"', "content-type": "text/plain" });
    response.end(known ? undefined : "the content itself");
  });
  const checkpoint = new ScriptedStore();
  // One without and one with secrets: of the latter no validators are kept either.
  const url = new URL(`${server.origin}/config`);
  const secret = new URL(`${server.origin}/secret?api_key=hunter2&sig=c2lnbmF0dXJl`);
  secret.username = "ada";
  secret.password = "lovelace";
  for (const target of [url, secret]) {
    gone = false;
    checkpoint.state = undefined;
    /** The events of a watch that polls twice, and the condition of its first request. */
    const run = async () => {
      const conditions: (string | null)[] = [];
      const poller = new HttpPoller(target, {
        ...(target === url && { bearerToken: "t0ken" }),
        fetch(input, init) {
          conditions.push(new Headers(init?.headers).get("if-none-match"));
          return fetch(input, init);
        },
      });
      const watch = watchExternal(poller, {
        interval: 1,
        checkpoint,
        onError(error) {
          throw error;
        },
      });
      const events: string[] = [];
      const reading = (async () => {
        for await (const { type, item } of watch) events.push(`${type} ${item.etag}`);
      })();
      await watch.synced;
      await settle(); // The state is saved.
      watch.close();
      await reading;
      return { events, condition: conditions[0] };
    };
    assert.deepEqual((await run()).events, ['added "v1"']);
    const text = new TextDecoder("latin1").decode(checkpoint.state);
    assert.match(text, /^koprsext/);
    for (const word of ["content itself", "hunter2", "c2lnbmF0dXJl", "lovelace", "ada", "t0ken"]) {
      assert(!text.includes(word), `${word} is in the checkpoint`);
    }
    const second = await run();
    assert.deepEqual(second.events, []);
    assert.equal(second.condition, target === url ? '"v1"' : null);
    gone = true;
    const third = await run();
    assert.deepEqual(third.events, [target === url ? 'removed "v1"' : "removed undefined"]);
  }
});

/** A checkpoint that ends the watch: what the error says. Nothing may be written, and nothing polled. */
async function refusal<T>(source: ExternalSource<T>, checkpoint: CheckpointStore): Promise<string> {
  const calls: string[] = [];
  const watch = watchExternal(observed(source, calls), { interval: 1, checkpoint });
  try {
    const { value } = await watch.getReader().read();
    assert.fail(`accepted: ${JSON.stringify(value)}`);
  } catch (error) {
    assert(error instanceof ExternalError, String(error));
    assert.equal(error.code, "checkpoint");
    assert.equal(error.source, source.name);
    assert.equal(watch.status.phase, "closed");
    assert.deepEqual(calls, []);
    return error.message;
  }
}

test(
  "C1: state of something else, and of a newer version, ends the stream",
  { timeout },
  async (t) => {
    const folder = await mkdtemp(join(tmpdir(), "koprs-external-"));
    t.after(() => rm(folder, { recursive: true, force: true }));
    const name = "the same name";
    const bucket = new MemoryStore({ name: "s3://one" });
    await fill(bucket, "p/a");
    const json = { name, key: String, list: () => [] as never };
    const makers: Record<string, () => ExternalSource<unknown>> = {
      "bucket and prefix": () => new ObjectStorePoller(bucket, { name, prefix: "p/" }),
      "other prefix": () => new ObjectStorePoller(bucket, { name, prefix: "p/a" }),
      "other bucket": () =>
        new ObjectStorePoller(new MemoryStore({ name: "s3://two" }), { name, prefix: "p/" }),
      "URL": () => new HttpPoller("http://127.0.0.1:1/a", { name }),
      "other URL": () => new HttpPoller("http://127.0.0.1:1/b", { name }),
      "collection": () => new CollectionPoller(json),
      "versions": () => new CollectionPoller({ ...json, version: String }),
      "versions only": () =>
        new CollectionPoller({ ...json, version: String, remember: "version", removed: String }),
    };
    const checkpoint = new FileCheckpointStore(folder);
    const path = await checkpoint.locate(name);
    for (const [written, maker] of Object.entries(makers)) {
      const state = maker().save?.() as Uint8Array;
      await checkpoint.save(name, state);
      for (const [read, other] of Object.entries(makers)) {
        if (read === written) continue;
        const message = await refusal(other(), checkpoint);
        assert.match(
          message,
          /it belongs to '.*': use another key or folder for it, or delete it/,
          `${written}, ${read}`,
        );
        assert(message.includes(path), message);
      }
      const newer = state.slice();
      newer[8] = 99;
      await checkpoint.save(name, newer);
      assert.match(
        await refusal(maker(), checkpoint),
        /it has version 99 and this release knows .*: use the release/,
      );
      assert.deepEqual(new Uint8Array(await readFile(path)), newer);
    }
  },
);

test(
  "C1: a file that is cut or changed at any offset is refused, and stays as it is",
  { timeout },
  async (t) => {
    const folder = await mkdtemp(join(tmpdir(), "koprs-external-"));
    t.after(() => rm(folder, { recursive: true, force: true }));
    const bucket = new MemoryStore();
    await fill(bucket, "a", "b");
    const checkpoint = new FileCheckpointStore(folder);
    const watch = watchExternal(new ObjectStorePoller(bucket), { interval: 1, checkpoint });
    let events = 0;
    for await (const _ of watch) if (++events === 2) watch.close();
    const path = await checkpoint.locate("memory://");
    const good = new Uint8Array(await readFile(path));
    const bad: [string, Uint8Array][] = [["empty", new Uint8Array(0)], [
      "zeros",
      new Uint8Array(good.length),
    ]];
    for (let at = 0; at < good.length; at++) {
      bad.push([`cut at ${at}`, good.slice(0, at)]);
      for (const bits of [0x01, 0x80, 0xff]) {
        const changed = good.slice();
        changed[at] = changed[at]! ^ bits;
        bad.push([`byte ${at} xor ${bits}`, changed]);
      }
    }
    bad.push(["longer", new Uint8Array([...good, 0])], [
      "twice",
      new Uint8Array([...good, ...good]),
    ]);
    for (const [what, bytes] of bad) {
      await writeFile(path, bytes);
      const message = await refusal(new ObjectStorePoller(bucket), checkpoint);
      assert(message.includes(path), `${what}: ${message}`);
      assert.match(message, /damaged|cut short|not a checkpoint|version \d+|belongs to/, what);
      assert.match(
        message,
        /put back a copy|delete it|pass what 'save' returned|use the release/,
        what,
      );
      assert.deepEqual(new Uint8Array(await readFile(path)), bytes, what);
    }
    assert.deepEqual((await readdir(folder)).filter((name) => name.endsWith(".tmp")), []);
    await writeFile(path, good);
    const restored = watching(t, new ObjectStorePoller(bucket), {
      interval: 1,
      checkpoint,
    });
    const next = restored.getReader().read();
    await fill(bucket, "c");
    assert.equal(shown((await next).value!), "added c");
  },
);
