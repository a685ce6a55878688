// Two writers of one checkpoint, whose writes and answers get lost: for a test, and for a fuzzer.
import assert from "node:assert/strict";
import fc from "fast-check";
import { ExternalError } from "@koprs/external/error";
import { ObjectCheckpointStore } from "@koprs/external/checkpoints/object";
import type { ObjectStore, PutOptions } from "@koprs/external/store";
import { MemoryStore } from "@koprs/external/stores/memory";

export const KEY = "s3://bucket/prefix";
const PROBE = "conditions.probe";

export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export async function loaded(store: ObjectCheckpointStore): Promise<string | undefined> {
  const state = await store.load(KEY);
  return state && new TextDecoder().decode(state);
}

/** What becomes of a write. */
export type Fate = "done" | "lost before" | "lost behind" | "done late";

/** A store whose writes get lost. */
export class Lossy implements ObjectStore {
  readonly name = "memory://";
  readonly inner: MemoryStore;
  fates: Fate[] = [];
  /** Writes that are under way somewhere in the network. */
  readonly late: (() => Promise<unknown>)[] = [];

  constructor(inner: MemoryStore) {
    this.inner = inner;
  }

  list: ObjectStore["list"] = (options) => this.inner.list(options);
  get: ObjectStore["get"] = (key, options) => this.inner.get(key, options);

  async put(key: string, body: Uint8Array, options?: PutOptions): Promise<{ etag: string }> {
    if (key.endsWith(PROBE)) return await this.inner.put(key, body, options);
    const fate = this.fates.shift() ?? "done";
    const put = () => this.inner.put(key, body, options);
    const lost = new ExternalError("store", "Cannot put: the connection broke");
    if (fate === "lost before") throw lost;
    if (fate === "done late") {
      this.late.push(put);
      throw lost;
    }
    const result = await put();
    if (fate === "lost behind") throw lost;
    return result;
  }
}

/** Whatever they do, in any order and with any loss, no state is overwritten that its writer had not seen. */
export function twoWriters(longest: number) {
  const fate = fc.constantFrom<Fate>("done", "done", "lost before", "lost behind", "done late");
  const step = fc.record({
    writer: fc.nat({ max: 1 }),
    what: fc.constantFrom("save" as const, "save" as const, "load" as const),
    fate,
    arrive: fc.boolean(),
  });
  return fc.asyncProperty(fc.array(step, { maxLength: longest }), async (steps) => {
    const bucket = new MemoryStore();
    const lossy = new Lossy(bucket);
    const writers = [0, 1].map(() => new ObjectCheckpointStore(lossy, { prefix: "" }));
    const reader = () => loaded(new ObjectCheckpointStore(bucket, { prefix: "" }));
    /** The writer whose state it is, and whether the other one has seen it. */
    let number = 0;
    const own = [
      new Set<string | undefined>([undefined]),
      new Set<string | undefined>([undefined]),
    ];
    for (const { writer, what, fate, arrive } of steps) {
      if (arrive) await lossy.late.shift()?.().catch(() => {});
      const before = await reader();
      const store = writers[writer]!;
      const seen = own[writer]!;
      if (what === "load") {
        const state = await store.load(KEY);
        seen.clear();
        seen.add(state && new TextDecoder().decode(state));
        assert.equal(state && new TextDecoder().decode(state), before);
        continue;
      }
      const state = `${++number} of ${writer}`;
      lossy.fates = [fate];
      try {
        await store.save(KEY, bytes(state));
        assert.equal(await reader(), state);
        assert(
          seen.has(before) || before?.endsWith(`of ${writer}`),
          `${state} overwrote ${before}`,
        );
        seen.clear();
      } catch (error) {
        assert(error instanceof ExternalError);
        const after = await reader();
        if (error.code === "checkpoint") {
          assert.equal(after, before);
          assert(
            before === undefined || before.endsWith(`of ${1 - writer}`),
            `${before} was its own`,
          );
        } else assert(after === before || after === state);
      }
      seen.add(state);
    }
  });
}
