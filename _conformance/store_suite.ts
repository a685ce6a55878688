/** The rules for stores. Each of the first list gets an empty store; those of the second share a full one. */
import assert from "node:assert/strict";
import { after, test, type TestContext } from "node:test";
import { rangesBetween } from "../_listing/ranges.ts";
import {
  bytesOf,
  checkName,
  compareKeys,
  forEach,
  poll,
  pollPart,
  promptly,
  randomNumbers,
  rejectionOf,
  rejectsAsStore,
  rejectsWith,
  replay,
  type Rule,
  shortOf,
  show,
  TEST_TIMEOUT,
} from "./harness.ts";
import { ExternalError } from "../_errors/external_error.ts";
import type { ListOptions } from "../_listing/object_store.ts";
import type { ObjectMeta } from "../_diff/object_meta.ts";
import {
  ObjectStorePoller,
  type ObjectStorePollerOptions,
} from "../_listing/object_store_poller.ts";
import type { StoreFixture } from "./fixtures.ts";

const DAY = 86_400_000;
/** Without pages of its own a store gets as many objects as two of these pages and one more. */
const DEFAULT_PAGE = 100;

/** Keys that clients, protocols and file systems like to change on the way. None is a folder of another. */
const HOSTILE_KEYS: readonly string[] = [
  // separators and dots
  ...[
    "/lead",
    "//lead2",
    "a//b",
    "trail/",
    "trail2//",
    "dot/./b",
    "dot/../b",
    "..",
    "../up",
    "...",
  ],
  ...[".hidden", "back\\slash", "c:\\x"],
  // escapes, and what looks like one
  ...["x/y", "x%2Fy", "x%252Fy", "%", "%zz", "%00", "p+q", "p q", "p%20q", "p%2Bq"],
  ...["<&>", "&amp;", "&#10;", "\"'`", "q?r#s", "q=r&s=t", ";,:@$!*()[]{}|^~"],
  // blanks and control characters
  ...[
    " lead",
    "trail ",
    "two  blanks",
    "tab\t",
    "line\n",
    "return\r\n",
    "\u0001\u001f",
    "del\u007f",
  ],
  ...["nul\0", "\u0085\u2028", "\u00a0", "\u200b", "\u202eltr", "\ufeffbom"],
  // letters: composed and not, upper and lower case, beyond U+FFFF, the last before it
  ...["\u00fc", "u\u0308", "case", "CASE", "\uff5e", "\ufffd", "\uffff", "\u{10000}", "\u{1f600}"],
  ...["\u{1f469}\u200d\u{1f469}", "\u{10ffff}"],
  // names that mean something in JavaScript
  ...["__proto__", "constructor", "toString", "null", "undefined", "0", "-0", "NaN"],
  // long ones
  "n".repeat(255),
  "n".repeat(900),
  `${"folder/".repeat(100)}x`,
];

type StoreRule = Rule<StoreFixture>;

export function registerStore(setUp: () => Promise<StoreFixture>): void {
  for (const [name, check] of RULES) {
    test(name, { timeout: TEST_TIMEOUT }, async (t) => {
      const fixture = await setUp();
      try {
        await check(fixture, t);
      } finally {
        await fixture.close();
      }
    });
  }
  let full: Promise<StoreFixture> | undefined;
  for (const [name, check] of FULL_RULES) {
    test(name, { timeout: TEST_TIMEOUT }, async (t) => check(await (full ??= filled(setUp)), t));
  }
  after(async () => {
    // If it could not be made, the tests have said so.
    await (await full?.catch(() => undefined))?.close();
  });
}

const RULES: readonly StoreRule[] = [
  ["the name is a non-empty string without user info", (fixture) => {
    checkName(fixture.store.name);
    return Promise.resolve();
  }],

  ["an empty store lists nothing", async (fixture) => {
    assert.deepEqual(await list(fixture), []);
    assert.deepEqual(await list(fixture, { prefix: "a" }), []);
    assert.deepEqual(await poll(pollerOf(fixture)), []);
  }],

  ["an object is listed with its key, size and time", async (fixture) => {
    await fixture.put("folder/a.txt", bytesOf("é: 5 B"));
    const objects = await list(fixture);
    assert.deepEqual(objects.map(({ key, size }) => ({ key, size })), [
      { key: "folder/a.txt", size: 7 },
    ]);
    for (const { etag, lastModified } of objects) {
      assert.ok(etag === undefined || (typeof etag === "string" && etag !== ""), "etag");
      const age = lastModified === undefined ? 0 : Date.now() - lastModified;
      assert.ok(Math.abs(age) < DAY, `lastModified must be ms since the epoch: ${lastModified}`);
    }
  }],

  ["what is put is added, and after that no event", async (fixture) => {
    const poller = pollerOf(fixture);
    await fill(fixture, ["b", "a"]);
    const expected = (await list(fixture)).sort((a, b) => compareKeys(a.key, b.key));
    assert.deepEqual(await poll(poller), expected.map((item) => ({ type: "added", item })));
    assert.deepEqual(await poll(poller), []);
  }],

  ["a rewrite of the same size is modified and carries the previous state", async (fixture) => {
    const poller = pollerOf(fixture);
    await fill(fixture, ["a", "b"], "old");
    const before = await find(fixture, "a");
    await poll(poller);
    await fill(fixture, ["a"], "new");
    const item = await find(fixture, "a");
    assert.deepEqual(await poll(poller), [{ type: "modified", item, previous: before }]);
    assert.deepEqual(await poll(poller), []);
  }],

  ["what is deleted is removed and carries its last state", async (fixture) => {
    const poller = pollerOf(fixture);
    await fill(fixture, ["a", "b"]);
    const item = await find(fixture, "a");
    await poll(poller);
    await fixture.delete("a");
    assert.deepEqual(await poll(poller), [{ type: "removed", item }]);
    assert.deepEqual(await poll(poller), []);
  }],

  ["the same content written again is no event", async (fixture, t) => {
    if (fixture.sameContentIsNoChange !== true) return t.skip("not 'sameContentIsNoChange'");
    const poller = pollerOf(fixture);
    await fill(fixture, ["a"], "same");
    await poll(poller);
    await fill(fixture, ["a"], "same");
    assert.deepEqual(await poll(poller), []);
  }],

  ["keys are exact", async (fixture, t) => {
    const keys = accepted(fixture, HOSTILE_KEYS, t);
    await forEach(keys, async (key) => {
      try {
        await fixture.put(key, bytesOf(key));
      } catch (cause) {
        throw new Error(`Cannot put ${show(key)}; can the backend hold it? See 'accepts'`, {
          cause,
        });
      }
    });
    const objects = await list(fixture);
    assert.deepEqual(sortedKeys(objects), [...keys].sort(compareKeys));
    const events = await poll(pollerOf(fixture));
    assert.deepEqual(events.map(({ item }) => item.key), [...keys].sort(compareKeys));
    await forEach(keys, async (key) => {
      const content = await new Response(await fixture.store.get(key)).text();
      // `text` drops a byte order mark.
      assert.equal(content, key.replace(/^\ufeff/, ""), `get ${show(key)}`);
    });
  }],

  ["a prefix is a plain string", async (fixture, t) => {
    const wanted = [
      "a/b",
      "a/bc",
      "a/b c",
      "a%2Fb",
      "a+b",
      "ab",
      "A/b",
      "é/1",
      "é/2",
      "z/é",
      "[a]*",
    ];
    const keys = accepted(fixture, wanted, t);
    await fill(fixture, keys);
    const prefixes = [...keys, "", "a", "a/", "a/b", "a%", "a%2F", "a+", "é", "e", "[", ".*", "*"];
    for (const prefix of [...prefixes, "../", "..", "/", "./", "a/b/", "__proto__", "zzz"]) {
      const expected = keys.filter((key) => key.startsWith(prefix)).sort(compareKeys);
      const found = sortedKeys(await list(fixture, { prefix }));
      assert.deepEqual(found, expected, `list with prefix ${show(prefix)}`);
      const events = await poll(pollerOf(fixture, { prefix }));
      assert.deepEqual(events.map(({ item }) => item.key), expected, `poll of ${show(prefix)}`);
    }
  }],

  ["get streams the exact bytes", async (fixture) => {
    const large = new Uint8Array(1_000_000);
    const random = randomNumbers(1);
    for (let i = 0; i < large.length; i++) large[i] = random() * 256;
    const every = Uint8Array.from({ length: 256 }, (_, i) => i);
    for (const [key, body] of Object.entries({ large, every, empty: new Uint8Array() })) {
      await fixture.put(key, body);
      const got = await read(await fixture.store.get(key));
      assert.ok(isSame(got, body), `${key}: ${got.length} bytes of ${body.length}`);
    }
  }],

  ["get of a missing key rejects with status 404", async (fixture) => {
    await fill(fixture, ["there"]);
    await rejectsAsStore(fixture.store.get("not-there"), "get of a missing key", 404);
  }],

  [
    "get with the ETag of an event gives that content or rejects with status 412",
    async (fixture, t) => {
      const { store } = fixture;
      await fill(fixture, ["a"], "old");
      const { etag } = await find(fixture, "a");
      if (etag === undefined) return t.skip("the store has no ETags");
      assert.equal(await new Response(await store.get("a", { ifMatch: etag })).text(), "old");
      await fill(fixture, ["a"], "new");
      await rejectsAsStore(store.get("a", { ifMatch: etag }), "get with an outdated ETag", 412);
      const now = await find(fixture, "a");
      assert.equal(
        await new Response(await store.get("a", { ifMatch: now.etag ?? "" })).text(),
        "new",
      );
    },
  ],

  ["get heeds its signal", async (fixture) => {
    await fixture.put("a", new Uint8Array(1_000_000));
    const controller = new AbortController();
    const { signal } = controller;
    const stream = await fixture.store.get("a", { signal });
    const reason = new Error("enough");
    controller.abort(reason);
    // What has arrived already may still be read.
    await promptly(read(stream).catch(() => {}), "reading after an abort");
    await rejectsWith(fixture.store.get("a", { signal }), reason, "get with an aborted signal");
  }],

  ["content that is not read to its end can be cancelled", async (fixture) => {
    await fixture.put("a", new Uint8Array(1_000_000));
    const reader = (await fixture.store.get("a")).getReader();
    await reader.read();
    await promptly(reader.cancel(), "cancel");
  }],

  ["a vanished root fails the poll and removes nothing", async (fixture, t) => {
    if (fixture.vanish === undefined) return t.skip("the fixture has no 'vanish'");
    const poller = pollerOf(fixture);
    await fill(fixture, ["a", "b"]);
    await poll(poller);
    await fixture.vanish();
    await rejectsAsStore(poll(poller), "a poll of what has vanished");
    await rejectsAsStore(poll(pollerOf(fixture, { prefix: "a" })), "the same under a prefix");
    await rejectionOf(list(fixture), "a listing of what has vanished");
  }],

  ["two pollers on one store each see every change", async (fixture) => {
    const pollers = [pollerOf(fixture), pollerOf(fixture, { filter: () => true })];
    await fill(fixture, ["a", "b"]);
    const [first, second] = await Promise.all(pollers.map(poll));
    assert.deepEqual(shortOf(first ?? [], keyOf), ["added a", "added b"]);
    assert.deepEqual(second, first);
    await fixture.delete("a");
    for (const poller of pollers) {
      assert.deepEqual(shortOf(await poll(poller), keyOf), ["removed a"]);
    }
  }],

  ["state saved by one poller goes on in another", async (fixture) => {
    const poller = pollerOf(fixture);
    await fill(fixture, ["a", "b", "c"], "old");
    await poll(poller);
    const [a, b] = [await find(fixture, "a"), await find(fixture, "b")];
    const store = fixture.otherStore ?? fixture.store;
    assert.equal(store.name, fixture.store.name, "the name must survive a restart");
    const restart = () => {
      const restarted = new ObjectStorePoller(store);
      restarted.restore(poller.save());
      return restarted;
    };
    assert.deepEqual(await poll(restart()), [], "nothing changed meanwhile");
    await fill(fixture, ["a", "d"], "new");
    await fixture.delete("b");
    assert.deepEqual(await poll(restart()), [
      { type: "modified", item: await find(fixture, "a"), previous: a },
      { type: "removed", item: b },
      { type: "added", item: await find(fixture, "d") },
    ]);
  }],

  ["replay equals reality over a random history", async (fixture, t) => {
    const wanted = ["h/1", "h/2", "h/3", "h/a b", "h/a+b", "h/%2F", "h/é", "h/deep/er/1", "i", "j"];
    const keys = accepted(fixture, wanted, t);
    const random = randomNumbers(7);
    const pick = <I>(items: readonly I[]): I => items[Math.floor(random() * items.length)] as I;
    const poller = pollerOf(fixture);
    const reality = new Map<string, string>();
    const known = new Map<string, ObjectMeta>();
    for (let round = 0; round < 12; round++) {
      for (let changes = Math.floor(random() * 5); changes > 0; changes--) {
        const key = pick(keys);
        if (reality.has(key) && random() < 0.4) {
          await fixture.delete(key);
          reality.delete(key);
        } else {
          const body = `${round}${"x".repeat(random() * 5)}${changes}`;
          await fixture.put(key, bytesOf(body));
          reality.set(key, body);
        }
      }
      const inPart = random() < 0.3;
      if (inPart) await pollPart(poller, Math.floor(random() * 3));
      if (random() < 0.7 || inPart) replay(known, await poll(poller), keyOf, inPart);
    }
    replay(known, await poll(poller), keyOf, false);
    const listed = (await list(fixture)).map((object) => [object.key, object] as const);
    assert.deepEqual(known, new Map(listed));
    assert.deepEqual([...known.keys()].sort(), [...reality.keys()].sort());
    for (const [key, body] of reality) {
      assert.equal(await new Response(await fixture.store.get(key)).text(), body, key);
    }
  }],

  ["put with ifNoneMatch writes only what is not there", async (fixture, t) => {
    const { store } = fixture;
    if (store.put === undefined) return t.skip("the store has no 'put'");
    const { etag } = await store.put("a", bytesOf("1"), { ifNoneMatch: "*" });
    assert.equal(etag, (await find(fixture, "a")).etag, "put must give the ETag of a listing");
    await rejectsAsStore(
      store.put("a", bytesOf("2"), { ifNoneMatch: "*" }),
      "put with ifNoneMatch over an existing object",
      412,
    );
    assert.equal(await new Response(await store.get("a")).text(), "1");
    await store.put("a", bytesOf("3"));
    assert.equal(await new Response(await store.get("a")).text(), "3");
  }],

  ["put with ifMatch writes only over that state", async (fixture, t) => {
    const { store } = fixture;
    if (store.put === undefined) return t.skip("the store has no 'put'");
    const { etag: first } = await store.put("a", bytesOf("1"));
    if (first === undefined) return t.skip("'put' gives no ETag");
    const { etag: second } = await store.put("a", bytesOf("2"), { ifMatch: first });
    assert.notEqual(second, first);
    const stale = store.put("a", bytesOf("3"), { ifMatch: first });
    await rejectsAsStore(stale, "put with an outdated ETag", 412);
    assert.equal(await new Response(await store.get("a")).text(), "2");
    await fixture.delete("a");
    const gone = store.put("a", bytesOf("4"), { ifMatch: second ?? first });
    await rejectsAsStore(gone, "put with the ETag of a deleted object", 412);
    assert.deepEqual(await list(fixture), []);
  }],
];

/** What the full store holds: several pages, several folders, and keys whose order is easily got wrong. */
async function filled(setUp: () => Promise<StoreFixture>): Promise<StoreFixture> {
  const fixture = await setUp();
  await fill(fixture, fullKeys(fixture));
  return fixture;
}

function fullKeys(fixture: StoreFixture): string[] {
  const count = 2 * (fixture.pageSize ?? DEFAULT_PAGE) + 1;
  const many = Array.from({ length: count }, (_, i) => `many/${i % 5}/${i}`);
  const order = ["many-", "many.x", "o/\uff5e", "o/\u{1f600}", "o/é", "o/z", "o/Z", "o/a-", "o/a0"];
  return accepted(fixture, [...many, ...order]);
}

const FULL_RULES: readonly StoreRule[] = [
  ["a listing over several pages is whole", async (fixture) => {
    const pages = await Array.fromAsync(fixture.store.list());
    assert.deepEqual(sortedKeys(pages.flat()), fullKeys(fixture).sort(compareKeys));
    if (fixture.pageSize !== undefined) {
      assert.ok(pages.length > 2, `'pageSize' says there must be more pages: ${pages.length}`);
    }
  }],

  ["a poll sees what list lists", async (fixture) => {
    const expected = (await list(fixture)).sort((a, b) => compareKeys(a.key, b.key));
    // With a filter a poll cannot use a shorter way than `list`.
    for (const poller of [pollerOf(fixture), pollerOf(fixture, { filter: () => true })]) {
      const events = await poll(poller);
      assert.deepEqual(events.map(({ item }) => item), expected);
      assert.deepEqual(await poll(poller), []);
    }
  }],

  ["a ranged store lists in the byte order of UTF-8", async (fixture, t) => {
    if (fixture.store.ranged !== true) return t.skip("the store is not 'ranged'");
    const keys = (await list(fixture)).map(keyOf);
    assert.deepEqual(keys, [...keys].sort(compareKeys));
  }],

  ["a range leaves out `after` and takes in `until`", async (fixture, t) => {
    if (fixture.store.ranged !== true) return t.skip("the store is not 'ranged'");
    const keys = fullKeys(fixture).sort(compareKeys);
    const at = (share: number): string => keys[Math.floor(share * (keys.length - 1))] as string;
    const ranges: ListOptions[] = [
      { after: at(0.3), until: at(0.7) },
      { after: at(0.5) },
      { until: at(0.5) },
      { after: at(0.5), until: at(0.5) },
      { after: `${at(0.2)}!`, until: `${at(0.4)}!` },
      { after: at(1) },
      { after: at(0.2), prefix: "many/1" },
      { after: at(0.1), until: at(0.9), prefix: "many/" },
      { after: "a", until: "b", prefix: "o/" },
      { after: "zzz", prefix: "many/" },
    ];
    for (const range of ranges) {
      const found = (await list(fixture, range)).map(keyOf);
      assert.deepEqual(found, keys.filter((key) => isIn(key, range)), JSON.stringify(range));
    }
  }],

  ["random ranges together are the whole listing", async (fixture, t) => {
    if (fixture.store.ranged !== true) return t.skip("the store is not 'ranged'");
    const whole = await list(fixture);
    const random = randomNumbers(3);
    for (let round = 0; round < 4; round++) {
      const cuts = Array.from({ length: 1 + round }, () => {
        const key = whole[Math.floor(random() * whole.length)]?.key ?? "m";
        return random() < 0.3 ? key.slice(0, -1) : key;
      });
      const ranges = rangesBetween([...new Set(cuts)].sort(compareKeys));
      const parts = await Promise.all(ranges.map((range) => list(fixture, range)));
      assert.deepEqual(parts.flat(), whole, `cut at ${cuts.map(show)}`);
    }
  }],

  ["a listing with an aborted signal rejects with its reason", async (fixture) => {
    const reason = new Error("enough");
    const signal = AbortSignal.abort(reason);
    await rejectsWith(list(fixture, { signal }), reason, "list");
    await rejectsWith(pollerOf(fixture).poll({ signal }), reason, "poll");
  }],

  ["an abort during the first page ends a listing", async (fixture) => {
    const controller = new AbortController();
    const pages = fixture.store.list({ signal: controller.signal })[Symbol.asyncIterator]();
    const first = pages.next();
    await endsBy(controller, first, pages, fixture);
  }],

  ["an abort between pages ends a listing", async (fixture) => {
    const controller = new AbortController();
    const pages = fixture.store.list({ signal: controller.signal })[Symbol.asyncIterator]();
    const first = pages.next();
    await first;
    await endsBy(controller, first, pages, fixture);
  }],

  ["an abort at any page fails the poll and loses nothing", async (fixture) => {
    const poller = pollerOf(fixture);
    let pages = 0;
    const everything = fullKeys(fixture).length;
    await poller.poll({ signal: new AbortController().signal, onRequest: () => pages++ });
    for (let n = 1; n <= Math.min(pages, 5); n++) {
      const controller = new AbortController();
      const reason = new Error(`enough after ${n}`);
      let seen = 0;
      const onRequest = () => {
        if (++seen === n) controller.abort(reason);
      };
      await rejectsWith(poller.poll({ signal: controller.signal, onRequest }), reason, "poll");
    }
    assert.equal((await poll(poller)).length, everything);
  }],

  ["a listing can be left early", async (fixture) => {
    const leave = async () => {
      for await (const _ of fixture.store.list()) break;
    };
    await promptly(leave(), "leaving the loop");
  }],

  ["a fault on any page fails the poll and loses nothing", async (fixture, t) => {
    if (fixture.failPage === undefined) return t.skip("the fixture has no 'failPage'");
    const poller = pollerOf(fixture);
    await poll(poller);
    await fill(fixture, ["new"]);
    await fixture.delete("many-");
    let faults = 0;
    for (;;) {
      await fixture.failPage(faults + 1);
      const result = await poll(poller).catch((error: unknown) => error);
      if (Array.isArray(result)) {
        // The listing was over before the fault.
        assert.deepEqual(shortOf(result, keyOf), ["removed many-", "added new"]);
        break;
      }
      assert.ok(
        result instanceof ExternalError,
        `poll must reject with an ExternalError: ${result}`,
      );
      if (++faults === 20) break;
    }
    const least = fixture.pageSize === undefined ? 1 : 3;
    assert.ok(faults >= least, `a poll of ${least} pages must fail ${least} times: ${faults}`);
  }],
];

/** Aborts, and fails unless the listing is over soon: with the reason, unless it was whole already. */
async function endsBy(
  controller: AbortController,
  first: Promise<IteratorResult<readonly ObjectMeta[]>>,
  pages: AsyncIterator<readonly ObjectMeta[]>,
  fixture: StoreFixture,
): Promise<void> {
  const reason = new Error("enough");
  controller.abort(reason);
  const thrown = await promptly(
    (async () => {
      // The page under way may still come, but no other.
      let count = (await first).value?.length ?? 0;
      const { done, value } = await pages.next();
      count += done ? 0 : value.length;
      assert.ok(
        done && count === fullKeys(fixture).length,
        "an aborted listing must reject, not go on",
      );
      return reason;
    })().catch((error: unknown) => error),
    "a listing that was aborted",
  );
  if (thrown instanceof assert.AssertionError) throw thrown;
  assert.equal(thrown, reason, "a listing must reject with the reason of its signal, untouched");
}

function pollerOf(
  { store }: StoreFixture,
  options?: ObjectStorePollerOptions,
): ObjectStorePoller {
  return new ObjectStorePoller(store, options);
}

async function list({ store }: StoreFixture, options?: ListOptions): Promise<ObjectMeta[]> {
  return (await Array.fromAsync(store.list(options))).flat();
}

async function find(fixture: StoreFixture, key: string): Promise<ObjectMeta> {
  const object = (await list(fixture)).find((object) => object.key === key);
  assert.ok(object !== undefined, `the listing lacks ${show(key)}`);
  return object;
}

async function fill(fixture: StoreFixture, keys: Iterable<string>, body?: string): Promise<void> {
  await forEach(keys, (key) => fixture.put(key, bytesOf(body ?? key)));
}

function accepted(fixture: StoreFixture, keys: readonly string[], t?: TestContext): string[] {
  const { accepts } = fixture;
  if (accepts === undefined) return [...keys];
  const left = keys.filter((key) => !fixture.accepts?.(key));
  if (left.length > 0) t?.diagnostic(`not tested, as the backend cannot hold: ${left.map(show)}`);
  return keys.filter((key) => !left.includes(key));
}

function keyOf(object: ObjectMeta): string {
  return object.key;
}

/** Each key once: a store may list one twice. */
function sortedKeys(objects: Iterable<ObjectMeta>): string[] {
  return [...new Set(Array.from(objects, keyOf))].sort(compareKeys);
}

function isIn(key: string, { prefix = "", after, until }: ListOptions): boolean {
  return key.startsWith(prefix) && (after === undefined || compareKeys(key, after) > 0) &&
    (until === undefined || compareKeys(key, until) <= 0);
}

async function read(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
