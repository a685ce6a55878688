// ObjectCheckpointStore over servers that refuse a write for nothing, ignore conditions, tell no ETags or answer late.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ExternalError } from "@koprs/external";
import { ObjectCheckpointStore } from "@koprs/external/checkpoints/object";
import type { ListOptions, ObjectStore, PutOptions, PutResult } from "@koprs/external/store";
import { MemoryStore } from "@koprs/external/stores/memory";
import { unframe } from "../../_state/owner_line.ts";

const KEY = "s3://bucket/prefix";
const PROBE = ".koprs-external/conditions.probe";

type Put = (key: string, body: Uint8Array, options?: PutOptions) => Promise<PutResult>;

/** A store that puts and lists in a way of its own. */
class Odd implements ObjectStore {
  readonly name = "memory://";
  readonly inner: MemoryStore;
  readonly puts: string[] = [];
  reads = 0;
  /** What becomes of a write that is no question about conditions. */
  onPut: Put;
  onProbe: Put;
  etags = true;

  constructor(inner: MemoryStore = new MemoryStore()) {
    this.inner = inner;
    this.onPut = this.onProbe = (key, body, options) => inner.put(key, body, options);
  }

  async *list(options?: ListOptions) {
    for await (const page of this.inner.list(options)) {
      yield this.etags ? page : page.map(({ key, size }) => ({ key, size }));
    }
  }

  get: ObjectStore["get"] = (key, options) => {
    this.reads++;
    return this.inner.get(key, options);
  };

  put(key: string, body: Uint8Array, options?: PutOptions): Promise<PutResult> {
    const probe = key === PROBE;
    this.puts.push(probe ? "probe" : new TextDecoder().decode(unframe(body).state));
    return probe ? this.onProbe(key, body, options) : this.onPut(key, body, options);
  }
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

async function stateIn(bucket: MemoryStore): Promise<string | undefined> {
  const state = await new ObjectCheckpointStore(bucket).load(KEY);
  return state && new TextDecoder().decode(state);
}

function refusal(status: number): ExternalError {
  return new ExternalError("store", "Cannot put: refused", { status });
}

for (const status of [409, 412]) {
  test(`one answer of ${status} though nobody has written is tried again`, async () => {
    const odd = new Odd();
    const store = new ObjectCheckpointStore(odd);
    const put = odd.onPut;
    for (const state of ["1", "2", "3"]) {
      odd.onPut = () => {
        odd.onPut = put;
        return Promise.reject(refusal(status));
      };
      await store.save(KEY, bytes(state));
      assert.equal(await stateIn(odd.inner), state);
    }
    // The same behind a restart.
    const restarted = new ObjectCheckpointStore(odd);
    await restarted.load(KEY);
    odd.onPut = () => {
      odd.onPut = put;
      return Promise.reject(refusal(status));
    };
    await restarted.save(KEY, bytes("4"));
    assert.equal(await stateIn(odd.inner), "4");
  });
}

test("a store that always refuses is told from another writer, and not asked for ever", async () => {
  const odd = new Odd();
  const store = new ObjectCheckpointStore(odd);
  const put = odd.onPut;
  for (const before of [undefined, "1"]) {
    odd.onPut = put;
    if (before !== undefined) await store.save(KEY, bytes(before));
    odd.onPut = () => Promise.reject(refusal(412));
    odd.puts.length = 0;
    await assert.rejects(store.save(KEY, bytes("2")), {
      code: "store",
      status: 412,
      source: KEY,
      message: /the store refuses the write again and again, though nobody else has written it$/,
    });
    assert(odd.puts.filter((put) => put === "2").length <= 5);
    assert.equal(await stateIn(odd.inner), before);
  }
  // It passes: the next save is done.
  odd.onPut = put;
  await store.save(KEY, bytes("3"));
  assert.equal(await stateIn(odd.inner), "3");
});

test("a conditional write that is answered by 404 has met no object", async () => {
  const odd = new Odd();
  const store = new ObjectCheckpointStore(odd);
  await store.save(KEY, bytes("1"));
  for await (const page of odd.inner.list()) {
    for (const { key } of page) if (key !== PROBE) await odd.inner.delete(key);
  }
  odd.onPut = () => Promise.reject(refusal(404));
  await assert.rejects(store.save(KEY, bytes("2")), {
    code: "checkpoint",
    message: /somebody has deleted it since/,
  });
  // Without a condition on what is there, it is a bucket that is missing, or a path.
  await assert.rejects(new ObjectCheckpointStore(odd).save(KEY, bytes("2")), {
    code: "store",
    status: 404,
  });
});

test("another error of a write passes as it is, and nothing is written", async () => {
  const odd = new Odd();
  const store = new ObjectCheckpointStore(odd);
  await store.save(KEY, bytes("1"));
  const put = odd.onPut;
  for (const status of [400, 403, 500, 503]) {
    odd.onPut = () => Promise.reject(refusal(status));
    await assert.rejects(store.save(KEY, bytes("2")), { code: "store", status });
  }
  odd.onPut = put;
  await store.save(KEY, bytes("3"));
  assert.equal(await stateIn(odd.inner), "3");
});

test("whoever writes the same content anew has written nothing newer", async () => {
  const odd = new Odd();
  let version = 0;
  const put = odd.onPut;
  // ETags that tell versions, not contents.
  const etags = new Map<string, string>();
  odd.list = async function* (options) {
    for await (const page of odd.inner.list(options)) {
      yield page.map((object) => ({ ...object, etag: etags.get(object.key) ?? "" }));
    }
  };
  odd.get = (key) => odd.inner.get(key);
  odd.onPut = odd.onProbe = async (key, body, { ifMatch, ifNoneMatch } = {}) => {
    const current = etags.get(key);
    const holds = ifMatch === undefined || ifMatch === current;
    if (!holds || ifNoneMatch !== undefined && current !== undefined) throw refusal(412);
    await put(key, body);
    etags.set(key, `"${++version}"`);
    return { etag: `"${version}"` };
  };
  const store = new ObjectCheckpointStore(odd);
  await store.save(KEY, bytes("1"));
  for (const key of etags.keys()) etags.set(key, `"${++version}"`); // Such as by a change of its metadata.
  await store.save(KEY, bytes("2"));
  assert.equal(await stateIn(odd.inner), "2");
  // That is no licence to overwrite another's.
  await odd.onPut((await store.locate(KEY)).slice("memory:///".length), bytes("of another"));
  await assert.rejects(store.save(KEY, bytes("3")), {
    code: "checkpoint",
    message: /another process has written it since/,
  });
  assert.equal(await stateIn(odd.inner), "of another");
});

test("a save that is answered is one request", async () => {
  const odd = new Odd();
  const store = new ObjectCheckpointStore(odd);
  await store.load(KEY);
  for (const state of ["1", "2", "3"]) await store.save(KEY, bytes(state));
  assert.deepEqual(odd.puts.filter((put) => put !== "probe"), ["1", "2", "3"]);
  assert.equal(odd.reads, 0);
});

test("a put without an ETag is looked up", async () => {
  const odd = new Odd();
  const put = odd.onPut;
  odd.onPut = odd.onProbe = async (...args) => {
    await put(...args);
    return {};
  };
  const store = new ObjectCheckpointStore(odd);
  await store.save(KEY, bytes("1"));
  await store.save(KEY, bytes("2"));
  assert.equal(await stateIn(odd.inner), "2");
});

test("a listing without ETags is told at the first save, and blamed on nobody else", async () => {
  const odd = new Odd();
  const refused = {
    code: "checkpoint",
    source: KEY,
    message: /^Cannot keep the checkpoint of 's3:.*' in 'memory:.*' as the store gives no ETag/,
  };
  odd.etags = false;
  await assert.rejects(new ObjectCheckpointStore(odd).save(KEY, bytes("1")), refused);
  assert.equal(await stateIn(odd.inner), undefined);
  // What has been written elsewhere is loaded, and stays.
  await new ObjectCheckpointStore(odd.inner).save(KEY, bytes("of before"));
  const restarted = new ObjectCheckpointStore(odd);
  assert.deepEqual(await restarted.load(KEY), bytes("of before"));
  await assert.rejects(restarted.save(KEY, bytes("2")), refused);
  assert.equal(await stateIn(odd.inner), "of before");
  // One that lists them at first, and not later.
  const changing = new Odd();
  const store = new ObjectCheckpointStore(changing);
  await store.save(KEY, bytes("1"));
  changing.etags = false;
  const again = new ObjectCheckpointStore(changing);
  await again.load(KEY);
  await assert.rejects(again.save(KEY, bytes("2")), refused);
  assert.equal(await stateIn(changing.inner), "1");
});

for (const ignored of ["ifMatch", "ifNoneMatch"] as const) {
  test(`a server that ignores '${ignored}' is refused before any state is written`, async () => {
    for (const earlier of [false, true]) {
      const odd = new Odd();
      const put = odd.onPut;
      if (earlier) await put(PROBE, bytes("of an earlier process"));
      odd.onPut = odd.onProbe = (key, body, options) => {
        const { [ignored]: _, ...others } = options ?? {};
        return put(key, body, others);
      };
      const store = new ObjectCheckpointStore(odd);
      for (let i = 0; i < 2; i++) {
        await assert.rejects(store.save(KEY, bytes("1")), {
          code: "checkpoint",
          source: KEY,
          message: new RegExp(`'memory:.*' as its server ignores the condition '${ignored}'`),
        });
      }
      assert.equal(await stateIn(odd.inner), undefined);
    }
  });
}

test("a server that says it knows no conditions is refused, too", async () => {
  const odd = new Odd();
  odd.onProbe = () => Promise.reject(refusal(501));
  await assert.rejects(new ObjectCheckpointStore(odd).save(KEY, bytes("1")), {
    code: "checkpoint",
    message: /ignores the condition 'ifNoneMatch'/,
  });
});

test("a store is asked once for its conditions, by whatever many checkpoint stores and keys", async () => {
  const odd = new Odd();
  await Promise.all(
    ["a", "b", "c"].map(async (key) => {
      const store = new ObjectCheckpointStore(odd);
      await store.save(key, bytes("1"));
      await store.save(key, bytes("2"));
    }),
  );
  const probes = () => odd.puts.filter((put) => put === "probe").length;
  assert.equal(probes(), 3);
  // A process that starts later finds the object there.
  const later = new Odd(odd.inner);
  await new ObjectCheckpointStore(later).save("d", bytes("1"));
  assert.equal(later.puts.filter((put) => put === "probe").length, 2);
});

test("a question that fails is asked again with the next save", async () => {
  const odd = new Odd();
  const put = odd.onProbe;
  const store = new ObjectCheckpointStore(odd);
  for (const error of [refusal(503), new ExternalError("network", "Cannot put: cut")]) {
    odd.onProbe = () => Promise.reject(error);
    await assert.rejects(store.save(KEY, bytes("1")), (thrown) => thrown === error);
  }
  // It claims to write, and does not.
  odd.onProbe = (_key, _body, options) =>
    options?.ifNoneMatch === undefined ? Promise.resolve({}) : Promise.reject(refusal(412));
  await assert.rejects(store.save(KEY, bytes("1")), { code: "store", message: /does not list/ });
  odd.onProbe = put;
  await store.save(KEY, bytes("1"));
  assert.equal(await stateIn(odd.inner), "1");
});

/** The next write is held up on its way to the server, or its answer on the way back, until `go` is called. */
function heldUp(odd: Odd, what: "request" | "answer" = "request") {
  const put = odd.onPut;
  let go = () => {};
  const begun = new Promise<void>((reached) => {
    odd.onPut = async (...args) => {
      odd.onPut = put;
      const done = what === "answer" ? await put(...args) : undefined;
      const released = new Promise<void>((resolve) => go = resolve);
      reached();
      await released;
      return done ?? await put(...args);
    };
  });
  return { begun, go: () => go() };
}

test("a save that hangs and arrives late overwrites nothing, and nothing is taken for another's", async () => {
  for (const first of [true, false]) {
    const odd = new Odd();
    const store = new ObjectCheckpointStore(odd);
    if (!first) await store.save(KEY, bytes("0"));
    const { begun, go } = heldUp(odd);
    const hanging = store.save(KEY, bytes("old"));
    await begun;
    await store.save(KEY, bytes("new"));
    go();
    await hanging;
    assert.equal(await stateIn(odd.inner), "new");
    await store.save(KEY, bytes("newer"));
    assert.equal(await stateIn(odd.inner), "newer");
  }
});

test("an answer that comes behind that of a newer save does not set back what is known", async () => {
  const odd = new Odd();
  const store = new ObjectCheckpointStore(odd);
  await store.save(KEY, bytes("0"));
  const late = heldUp(odd, "answer");
  const hanging = store.save(KEY, bytes("1"));
  await late.begun;
  await store.save(KEY, bytes("2"));
  late.go();
  await hanging;
  odd.puts.length = 0;
  await store.save(KEY, bytes("3"));
  assert.deepEqual(odd.puts, ["3"], "without a refusal");
  assert.equal(await stateIn(odd.inner), "3");
});

test("a save that is refused over a newer one of its own, not yet answered, gives way", async () => {
  const odd = new Odd();
  const store = new ObjectCheckpointStore(odd);
  await store.save(KEY, bytes("0"));
  const old = heldUp(odd);
  const first = store.save(KEY, bytes("1"));
  await old.begun;
  const late = heldUp(odd, "answer");
  const second = store.save(KEY, bytes("2"));
  await late.begun;
  old.go();
  await first;
  assert.equal(await stateIn(odd.inner), "2");
  late.go();
  await second;
  await store.save(KEY, bytes("3"));
  assert.equal(await stateIn(odd.inner), "3");
});
