// C1: state that cannot be trusted ends the stream, and is left as it is.
import {
  type CheckpointStore,
  CollectionPoller,
  ExternalError,
  type ExternalSource,
  HttpPoller,
  ObjectStorePoller,
  watchExternal,
} from "@koprs/external";
import { FileCheckpointStore } from "@koprs/external/checkpoints/file";
import { MemoryStore } from "@koprs/external/stores/memory";
import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { begin, settle, withClock } from "../watch/_watch.ts";
import {
  fill,
  NumberSource,
  observed,
  shown,
  timeout,
  watching,
  withStore,
} from "./_checkpoint.ts";

/** A checkpoint that ends the watch: what the error says. Nothing may be written, and nothing polled. */
async function refusal<T>(source: ExternalSource<T>, checkpoint: CheckpointStore): Promise<string> {
  const calls: string[] = [];
  const watch = watchExternal(observed(source, calls), {
    interval: 1,
    checkpoint,
    logger: false,
  });
  try {
    const { value } = await watch.getReader().read();
    assert.fail(`accepted: ${JSON.stringify(value)}`);
  } catch (error) {
    assert(error instanceof ExternalError, String(error));
    assert.equal(error.code, "checkpoint");
    assert.equal(error.source, source.name);
    assert.equal(watch.status.phase, "closed");
    // A source may have to ask its store who it is.
    assert.ok(calls.length <= 1, `${calls}`);
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
      const file = await readFile(path);
      assert.match(
        await refusal(maker(), checkpoint),
        /it has version 99 and this release knows .*: use the release/,
      );
      assert.deepEqual(await readFile(path), file);
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

for (const when of ["the poll", "its events"] as const) {
  test(`C1: ${when} may find out that a state cannot be trusted, which ends the stream`, () =>
    withStore(async ({ source, store, watch, reader, failures, clock }) => {
      const error = new ExternalError("checkpoint", "Cannot go on as this is another server");
      store.state = [7];
      const read = begin(reader.read());
      await settle();
      assert.deepEqual(source.restored, [7]);
      if (when === "the poll") await source.last.fail(error);
      else {
        await source.last.answerWith((function* () {
          yield* [];
          throw error;
        })());
      }
      await assert.rejects(read, (thrown) => thrown === error);
      assert.equal(error.source, "manual");
      assert.equal(watch.status.phase, "closed");
      assert.equal(watch.status.lastError, error);
      assert.deepEqual(failures, [], "nothing is tried again");
      await clock.tick(1_000_000);
      assert.equal(source.polls.length, 1);
      assert.deepEqual(store.saves, []);
      assert.deepEqual(store.state, [7]);
    }));
}

test("C1: such an error names the place of the state, if there was one", () =>
  withClock(async () => {
    for (const state of [undefined, Uint8Array.of(7)]) {
      const source = new NumberSource();
      const error = new ExternalError("checkpoint", "Cannot go on", {
        cause: new Error("https://ada:lovelace@host/"),
      });
      const watch = watchExternal(source, {
        interval: 1,
        logger: false,
        checkpoint: {
          load: () => Promise.resolve(state),
          save: () => Promise.resolve(),
          locate: (key) => `/var/state/${key}`,
        },
      });
      const read = begin(watch.getReader().read());
      await settle();
      await source.last.fail(error);
      await assert.rejects(read, (thrown) => {
        assert(thrown instanceof ExternalError);
        assert.equal(thrown.code, "checkpoint");
        assert.equal(thrown.source, "manual");
        assert.equal(
          thrown.message,
          state === undefined ? "Cannot go on" : "Cannot go on (it is kept in '/var/state/manual')",
        );
        assert.equal((thrown.cause as Error).message, "https://host/");
        return true;
      });
    }
  }));

test("C1: a place that is not told, or not in time, does not hide the error", () =>
  withClock(async (clock) => {
    const places: (() => Promise<string>)[] = [
      () => Promise.reject(new Error("unknown")),
      () => {
        throw new Error("unknown");
      },
      () => new Promise(() => {}),
    ];
    for (const locate of places) {
      const source = Object.assign(new NumberSource(), {
        restore() {
          throw new RangeError("wrong shape");
        },
      });
      const checkpoint = {
        load: () => Promise.resolve(Uint8Array.of(1)),
        save: () => Promise.resolve(),
        locate,
      };
      const watch = watchExternal(source, { interval: 1, logger: false, checkpoint });
      const read = begin(watch.getReader().read());
      await clock.tick(60_000);
      await assert.rejects(read, {
        code: "checkpoint",
        source: "manual",
        message: "Cannot restore 'manual' from its checkpoint: wrong shape",
      });
      assert.equal(clock.timers, 0);
    }
  }));

test("C1: a store that gives something else than bytes is no fresh start", () =>
  withClock(async () => {
    for (const wrong of [null, "", 0, [1], {}]) {
      const source = new NumberSource();
      const checkpoint = {
        load: () => Promise.resolve(wrong as unknown as Uint8Array),
        save: () => Promise.resolve(),
      };
      const watch = watchExternal(source, { interval: 1, logger: false, checkpoint });
      await assert.rejects(watch.getReader().read(), {
        code: "checkpoint",
        message:
          "Cannot restore 'manual' from its checkpoint: 'load' of its store must resolve with " +
          "a Uint8Array or undefined",
      });
      assert.equal(source.polls.length, 0);
      assert.deepEqual(source.restored, []);
    }
  }));
