// States that several processes may write, over records that can be removed, as those of Kubernetes can.
import assert from "node:assert/strict";
import { test } from "node:test";
import { FencedStates, type Found, type Records } from "../../_state/fenced.ts";
import { ExternalError } from "../../error.ts";

const state = (n: number) => Uint8Array.of(n);

/** Records in memory, and what was done to them. */
class Kept implements Records {
  readonly records: Map<string, Found> = new Map();
  readonly done: string[] = [];
  /** So many of the next writes and removals are refused, though nobody else has written. */
  refusals = 0;
  /** Called before a write or a removal. */
  before: () => Promise<void> = () => Promise.resolve();
  #version = 0;

  read(key: string): Promise<Found | undefined> {
    return Promise.resolve(this.records.get(key));
  }

  async write(key: string, record: Omit<Found, "version">, version: string | undefined) {
    await this.before();
    this.done.push("write");
    if (this.#refuses(key, version)) return undefined;
    const next = String(++this.#version);
    this.records.set(key, { ...record, version: next });
    return next;
  }

  async remove(key: string, version: string): Promise<boolean> {
    await this.before();
    this.done.push("remove");
    return !this.#refuses(key, version) && this.records.delete(key);
  }

  locate(key: string): Promise<string> {
    return Promise.resolve(`record ${key}`);
  }

  #refuses(key: string, version: string | undefined): boolean {
    return this.refusals > 0 && this.refusals-- > 0 || this.records.get(key)?.version !== version;
  }
}

/** A refusal, by its code and what it says. */
const refused = (code: string, message: RegExp) => (error: unknown) => {
  assert.ok(error instanceof ExternalError, String(error));
  assert.deepEqual([error.code, error.source, error.status], [code, "a", 412]);
  assert.match(error.message, /^Cannot (save|claim|delete) the checkpoint of 'a' as record a /);
  assert.match(error.message, message);
  return true;
};

test("a state is removed with its record, once, and can be saved anew", async () => {
  const kept = new Kept();
  const states = new FencedStates(kept);
  await states.delete("a");
  assert.deepEqual(kept.done, [], "there was none");
  await states.save("a", state(1));
  await states.delete("a");
  assert.equal(kept.records.size, 0);
  await states.delete("a");
  await states.save("a", state(2));
  assert.deepEqual(await states.load("a"), state(2));
  assert.deepEqual(kept.done, ["write", "remove", "write"]);
});

test("whoever has not used a key deletes whatever is there", async () => {
  const kept = new Kept();
  await new FencedStates(kept).save("a", state(1));
  await new FencedStates(kept).delete("a");
  assert.equal(kept.records.size, 0);
});

test("a record without a version is replaced by one without a state", async () => {
  const kept = new Kept();
  kept.records.set("a", { mark: "of release 0.1", state: state(1) });
  await new FencedStates(kept).delete("a");
  assert.deepEqual(kept.done, ["write"]);
  assert.equal(kept.records.get("a")?.state, undefined);
});

test("a refusal says what another one has done", async () => {
  const kept = new Kept();
  const [states, other] = [new FencedStates(kept), new FencedStates(kept)];
  await states.save("a", state(1));
  await other.claim("a");
  await other.save("a", state(2));
  await assert.rejects(states.save("a", state(3)), refused("checkpoint", /written it since/));
  await assert.rejects(states.delete("a"), refused("checkpoint", /written it since/));
  assert.deepEqual(await other.load("a"), state(2));
  kept.records.set("a", { mark: "another", version: "x" });
  await assert.rejects(
    states.save("a", state(3)),
    refused("checkpoint", /taken it over or deleted/),
  );
  kept.records.delete("a");
  await assert.rejects(states.save("a", state(3)), refused("checkpoint", /has deleted it since/));
  await states.delete("a");
});

test("a refusal though nobody else has written is tried again, four times", async () => {
  const kept = new Kept();
  const states = new FencedStates(kept);
  const again = /refuses the write again and again, though nobody else has written it$/;
  for (const refusals of [4, 5]) {
    const acts = {
      save: [() => states.save("a", state(1)), again],
      claim: [() => states.claim("a"), /because others write it at the same time$/],
      delete: [() => states.delete("a"), again],
    } as const;
    for (const [act, message] of Object.values(acts)) {
      kept.refusals = refusals;
      if (refusals === 4) await act();
      else await assert.rejects(act(), refused("store", message));
      assert.equal(kept.refusals, 0);
      await states.save("a", state(0));
    }
  }
});

test("a save that hangs gives up once its state was deleted", async () => {
  const kept = new Kept();
  const states = new FencedStates(kept);
  await states.save("a", state(1));
  const { promise, resolve } = Promise.withResolvers<void>();
  kept.before = () => promise;
  const hanging = states.save("a", state(2));
  kept.before = () => Promise.resolve();
  await states.delete("a");
  resolve();
  await hanging;
  assert.equal(kept.records.size, 0);
  await states.save("a", state(3));
  assert.deepEqual(await states.load("a"), state(3));
});

test("a claim keeps the state, of a key without one, too", async () => {
  const kept = new Kept();
  const states = new FencedStates(kept);
  assert.equal(await states.claim("a"), undefined);
  assert.ok(!("state" in (kept.records.get("a") as Found)));
  await states.save("a", state(1));
  const other = new FencedStates(kept);
  assert.deepEqual(await other.claim("a"), state(1));
  assert.deepEqual(await other.claim("a"), state(1), "once more");
  await other.save("a", state(2));
  await assert.rejects(states.delete("a"), refused("checkpoint", /written it since/));
});
