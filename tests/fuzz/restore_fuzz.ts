// Saved states, changed all over, with a checksum that is right: each is refused with code `checkpoint`, or is as good as any
// other. For as long as FUZZ_SECONDS says.
import { CollectionPoller, ExternalError } from "@koprs/external";
import { type ObjectMeta, type ObjectStore, ObjectStorePoller } from "@koprs/external/store";
import fc from "fast-check";
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { workSince } from "../errors/_cpu.ts";
import { checksum, openSealed } from "../../_state/sealed_state.ts";
import { poll } from "../diff/_replay.ts";

const time = Number(process.env.FUZZ_SECONDS ?? 2) * 1_000;
const budget = { numRuns: Infinity, interruptAfterTimeLimit: time, markInterruptAsFailure: false };

/** One change of the state inside of the envelope: places and lengths are shares of it. */
const edit = fc.record({
  what: fc.constantFrom("set", "add", "insert", "delete", "repeat", "swap", "cut"),
  from: fc.double({ min: 0, max: 1, noNaN: true }),
  to: fc.double({ min: 0, max: 1, noNaN: true }),
  length: fc.oneof(fc.integer({ min: 1, max: 4 }), fc.nat(200)),
  bytes: fc.uint8Array({ minLength: 1, maxLength: 9 }),
});

type Edit = typeof edit extends fc.Arbitrary<infer E> ? E : never;

function apply(state: Uint8Array, { what, from, to, length, bytes }: Edit): Uint8Array {
  const at = Math.floor(from * state.length);
  const end = Math.min(state.length, at + length);
  const [head, part, rest] = [state.slice(0, at), state.slice(at, end), state.slice(end)];
  switch (what) {
    case "set":
      return join(head, bytes.subarray(0, part.length), state.slice(at + bytes.length));
    case "add":
      return join(head, part.map((byte) => byte + (bytes[0] as number)), rest);
    case "insert":
      return join(head, bytes, part, rest);
    case "delete":
      return join(head, rest);
    case "repeat":
      return join(head, part, part, rest);
    case "cut":
      return head;
    case "swap": {
      const other = Math.floor(to * rest.length);
      const moved = rest.slice(other, other + length);
      return join(head, moved, rest.slice(0, other), part, rest.slice(other + moved.length));
    }
  }
}

function join(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

/** The same envelope around another state. */
function reseal(sealed: Uint8Array, state: Uint8Array): Uint8Array {
  const head = sealed.length - 16 - openSealed(sealed, "").state.length;
  const bytes = join(sealed.slice(0, head), state, new Uint8Array(16));
  new DataView(bytes.buffer).setFloat64(12, bytes.length, true);
  bytes.set(checksum(bytes, bytes.length - 16), bytes.length - 16);
  return bytes;
}

interface Poller {
  poll(options: { signal: AbortSignal }): Promise<Iterable<unknown>>;
  save(): Uint8Array;
  restore(state: Uint8Array): void;
}

/** A poller that goes on from any state does as any other does. */
async function checkState(make: () => Poller, state: Uint8Array): Promise<"refused" | "taken"> {
  const poller = make();
  const before = poller.save();
  const work = workSince();
  try {
    poller.restore(state);
  } catch (error) {
    assert.ok(error instanceof ExternalError && error.code === "checkpoint", String(error));
    assert.deepEqual(poller.save(), before, "half of it was taken");
    return "refused";
  } finally {
    assert.ok(work() < 1_000, "it took a second");
  }
  const saved = poller.save();
  const twin = make();
  twin.restore(saved);
  assert.deepEqual(twin.save(), saved);
  for (const each of [poller, twin]) {
    for (let i = 0; i < 2; i++) {
      for (const _ of await each.poll({ signal: new AbortController().signal }));
    }
    make().restore(each.save());
  }
  assert.deepEqual(poller.save(), twin.save());
  return "taken";
}

const objects = (count: number, version: number): ObjectMeta[] =>
  Array.from({ length: count }, (_, i) => ({
    key: `dir/${String(i * 7).padStart(5, "0")}${i % 9 === 0 ? "é\ud800" : ".bin"}`,
    size: i * version,
    ...(i % 3 > 0 && { etag: `"${String(i).padStart(32, "a")}${i % 3 > 1 ? `-${i}` : ""}"` }),
    ...(i % 4 > 0 && { lastModified: 1_700_000_000_000 + i * 250 }),
  }));

function storeOf(listed: readonly ObjectMeta[]): ObjectStore {
  return {
    name: "fuzz://",
    async *list() {
      yield listed;
    },
    get: () => Promise.reject(new Error("a poll reads no content")),
    identity: () => "https://fuzz",
  };
}

/** A state with something in doubt. */
async function broken(make: (version: number) => Poller): Promise<Uint8Array> {
  const poller = make(1);
  for (const _ of await poller.poll({ signal: new AbortController().signal }));
  const other = make(2);
  other.restore(poller.save());
  const events = (await other.poll({ signal: new AbortController().signal }))[Symbol.iterator]();
  for (let i = 0; i < 5; i++) events.next();
  return other.save();
}

const pollers: Record<string, (version: number) => Poller> = {
  "a few objects": (version) => new ObjectStorePoller(storeOf(objects(12, version))),
  // Several chunks.
  "many objects": (version) => new ObjectStorePoller(storeOf(objects(2_500, version))),
  "items": (version) =>
    new CollectionPoller<{ id: string }>({
      name: "items",
      async *list() {
        yield objects(30, version).map(({ key }) => ({ id: key }));
      },
      key: ({ id }) => id,
      version: ({ id }) => `${id.length * version}é`,
      remember: "version",
      removed: (id) => ({ id }),
    }),
};

for (const [name, make] of Object.entries(pollers)) {
  test(`mutated states: ${name}`, async () => {
    const sealed = await broken(make);
    const { state } = openSealed(sealed, "");
    const outcomes = { refused: 0, taken: 0 };
    assert.equal(await checkState(() => make(3), reseal(sealed, state)), "taken");
    await fc.assert(
      fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 4 }), async (edits) => {
        outcomes[await checkState(() => make(3), reseal(sealed, edits.reduce(apply, state)))]++;
      }),
      budget,
    );
    // Few changes leave a state that can be taken: a slow machine may meet none of them.
    assert.ok(outcomes.refused > 0, JSON.stringify(outcomes));
  });
}

test("identities: whatever stands in the envelope", async () => {
  const make = pollers["a few objects"] as (version: number) => Poller;
  const sealed = await broken(make);
  const head = sealed.length - 16 - openSealed(sealed, "").state.length;
  await fc.assert(
    fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 3 }), async (edits) => {
      const text = edits.reduce(apply, sealed.slice(24, head));
      const bytes = join(sealed.slice(0, 24), text, sealed.slice(head));
      const view = new DataView(bytes.buffer);
      view.setFloat64(12, bytes.length, true);
      view.setUint32(20, text.length, true);
      bytes.set(checksum(bytes, bytes.length - 16), bytes.length - 16);
      const poller = make(1);
      try {
        poller.restore(bytes);
        await poll(poller as ObjectStorePoller);
      } catch (error) {
        assert.ok(error instanceof ExternalError && error.code === "checkpoint", String(error));
      }
    }),
    budget,
  );
});
