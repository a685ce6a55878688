// Claims whose writes and answers get lost or come late, sweeping, and states of release 0.1.
import assert from "node:assert/strict";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { type CheckpointStore, MemoryCheckpointStore, sweep } from "@koprs/external/checkpoint";
import { FileCheckpointStore } from "@koprs/external/checkpoints/file";
import { ObjectCheckpointStore } from "@koprs/external/checkpoints/object";
import { ExternalError } from "@koprs/external/error";
import { MemoryStore } from "@koprs/external/stores/memory";
import { checkpointName } from "../../_state/name.ts";
import { bytes, type Fate, KEY, loaded, Lossy } from "./_two_writers.ts";

const timeout = 20_000;

/** Three store objects that claim, save and delete in any order, with any loss: whoever is fenced changes nothing. */
function threeClaimants(longest: number) {
  const step = fc.record({
    who: fc.nat({ max: 2 }),
    what: fc.constantFrom("claim" as const, "save" as const, "save" as const, "delete" as const),
    fate: fc.constantFrom<Fate>("done", "done", "lost before", "lost behind", "done late"),
    arrive: fc.boolean(),
  });
  return fc.asyncProperty(fc.array(step, { maxLength: longest }), async (steps) => {
    const bucket = new MemoryStore();
    const lossy = new Lossy(bucket);
    const stores = [0, 1, 2].map(() => new ObjectCheckpointStore(lossy, { prefix: "" }));
    const reader = () => loaded(new ObjectCheckpointStore(bucket, { prefix: "" }));
    /** The last one whose claim was answered, and nobody's claim was lost since. */
    let holder: number | undefined;
    const claimed = new Set<number>();
    let number = 0;
    for (const { who, what, fate, arrive } of steps) {
      const held = await reader();
      if (arrive) await lossy.late.shift()?.().catch(() => {});
      const before = await reader();
      const store = stores[who]!;
      // What arrives late of whoever has lost the key changes nothing.
      if (before !== held && holder !== undefined) {
        assert.ok(
          before === undefined || before.endsWith(`of ${holder}`),
          `${before} arrived late`,
        );
      }
      lossy.fates = [fate];
      try {
        if (what === "claim" || !claimed.has(who)) {
          // Until it is answered, nobody knows who has the key.
          holder = undefined;
          const state = await store.claim(KEY);
          assert.equal(state && new TextDecoder().decode(state), before);
          claimed.add(who);
          holder = who;
        } else if (what === "save") {
          const state = `${++number} of ${who}`;
          await store.save(KEY, bytes(state));
          assert.ok(holder === undefined || holder === who, `${state} came behind another's claim`);
          assert.equal(await reader(), state);
        } else {
          await store.delete(KEY);
          assert.ok(
            holder === undefined || holder === who,
            `${who} deleted behind another's claim`,
          );
          assert.equal(await reader(), undefined);
          claimed.delete(who);
          if (holder === who) holder = undefined;
        }
      } catch (error) {
        assert.ok(error instanceof ExternalError, String(error));
        if (error.code !== "checkpoint") continue;
        assert.notEqual(
          what === "claim" ? who : holder,
          who,
          "whoever holds the key is not refused",
        );
        assert.equal(await reader(), before);
      }
    }
  });
}

test("claimants in any order, with any loss: whoever is fenced changes nothing", async () => {
  await fc.assert(threeClaimants(30), { numRuns: 300 });
});

test("a claim that arrives late, behind another one's, changes nothing", async () => {
  const bucket = new MemoryStore();
  const lossy = new Lossy(bucket);
  const [late, next] = [new ObjectCheckpointStore(lossy), new ObjectCheckpointStore(bucket)];
  await next.save(KEY, bytes("1"));
  lossy.fates = ["done late"];
  await assert.rejects(late.claim(KEY), { code: "store" });
  assert.deepEqual(await next.claim(KEY), bytes("1"));
  await next.save(KEY, bytes("2"));
  await assert.rejects(lossy.late[0]!(), { status: 412 });
  await next.save(KEY, bytes("3"));
  assert.deepEqual(await late.claim(KEY), bytes("3"));
});

for (const how of ["frozen", "called anew"] as const) {
  test(`a claim that is ${how} while it is sent takes the key from nobody later`, async (t) => {
    const bucket = new MemoryStore();
    const [lossy, next] = [new Lossy(bucket), new ObjectCheckpointStore(bucket)];
    const store = new ObjectCheckpointStore(lossy);
    await next.save(KEY, bytes("1"));
    let go = () => {};
    const sent = new Promise<void>((reached) => {
      const { put } = lossy;
      lossy.put = async (key, body, options) => {
        if (!key.endsWith(".checkpoint")) return await put.call(lossy, key, body, options);
        lossy.put = put;
        await new Promise<void>((resolve) => {
          go = resolve;
          reached();
        });
        return await put.call(lossy, key, body, options);
      };
    });
    const late = assert.rejects(store.claim(KEY), { code: "store", message: /^Cannot claim/ });
    await sent;
    if (how === "called anew") assert.deepEqual(await store.claim(KEY), bytes("1"));
    assert.deepEqual(await next.claim(KEY), bytes("1"));
    const later = performance.now() + 3_600_000;
    if (how === "frozen") t.mock.method(performance, "now", () => later);
    go();
    await late;
    await next.save(KEY, bytes("2"));
    assert.deepEqual(await next.load(KEY), bytes("2"));
  });
}

test("a claim that others cross again and again says so, and passes", async () => {
  const bucket = new MemoryStore();
  await new ObjectCheckpointStore(bucket).save(KEY, bytes("1"));
  const crossed = new Lossy(bucket);
  let claims = 0;
  crossed.put = async (key, body, options) => {
    claims++;
    await new ObjectCheckpointStore(bucket).claim(KEY);
    return await bucket.put(key, body, options);
  };
  const store = new ObjectCheckpointStore(crossed);
  await assert.rejects(store.claim(KEY), {
    code: "store",
    source: KEY,
    message:
      /^Cannot claim the checkpoint of 's3:.*' as memory:.* because others write it at the same time$/,
  });
  assert.ok(claims <= 10, `${claims}`);
  crossed.put = (key, body, options) => bucket.put(key, body, options);
  assert.deepEqual(await store.claim(KEY), bytes("1"));
});

test("sweep forgets what is not kept, and leaves what another one has taken", async () => {
  const store = new MemoryCheckpointStore();
  for (const key of ["a", "b", "c"]) await store.save(key, bytes(key));
  await store.instance().claim("c");
  const asked: string[] = [];
  const swept = await sweep(store, (key) => {
    asked.push(key);
    return key === "b";
  });
  assert.deepEqual(swept, ["a"]);
  assert.deepEqual(asked.sort(), ["a", "b", "c"]);
  assert.deepEqual((await Array.fromAsync(store.list())).sort(), ["b", "c"]);
});

test("sweep: misuse is a TypeError, and a failure is passed on", async () => {
  const store = new MemoryCheckpointStore();
  await store.save("a", bytes("a"));
  const { load, save } = store;
  for (const bad of [undefined, { load, save }, { load, save, list: () => store.list() }]) {
    await assert.rejects(sweep(bad as CheckpointStore, () => true), {
      name: "TypeError",
      message: /no 'list' or no 'delete'/,
    });
  }
  await assert.rejects(sweep(store, undefined as never), { name: "TypeError", message: /'keep'/ });
  const failure = new ExternalError("store", "Cannot delete: down");
  const failing = { load, save, list: () => store.list(), delete: () => Promise.reject(failure) };
  await assert.rejects(sweep(failing, () => false), (thrown) => thrown === failure);
  const odd = new Error("of the caller");
  await assert.rejects(
    sweep(store, () => {
      throw odd;
    }),
    (thrown) => thrown === odd,
  );
  assert.deepEqual(await store.load("a"), bytes("a"));
});

test(
  "states of release 0.1 are loaded, and listed where their name can be told",
  { timeout },
  async (t) => {
    const folder = await mkdtemp(join(tmpdir(), "koprs-external-"));
    t.after(() => rm(folder, { recursive: true, force: true }));
    const bucket = new MemoryStore();
    for (const key of ["plain-name.1", "https://example.com/"]) {
      const name = await checkpointName(key);
      await writeFile(join(folder, name), "koprsext of before");
      await bucket.put(`.koprs-external/${name}`, "koprsext of before");
    }
    await writeFile(join(folder, "other.checkpoint"), "nobody's");
    await symlink(join(folder, "other.checkpoint"), join(folder, "link.checkpoint"));
    for (const store of [new FileCheckpointStore(folder), new ObjectCheckpointStore(bucket)]) {
      assert.deepEqual(await store.load("https://example.com/"), bytes("koprsext of before"));
      assert.deepEqual(await Array.fromAsync(store.list()), ["plain-name.1"]);
      assert.deepEqual(await store.claim("https://example.com/"), bytes("koprsext of before"));
      await store.save("https://example.com/", bytes("new"));
      assert.deepEqual((await Array.fromAsync(store.list())).sort(), [
        "https://example.com/",
        "plain-name.1",
      ]);
      await store.delete("plain-name.1");
      assert.equal(await store.load("plain-name.1"), undefined);
    }
  },
);
