import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { ItemBuilder, ObjectBuilder } from "../../_diff/builder.ts";
import {
  compareBytes,
  isText,
  readText,
  readVarint,
  textBytes,
  writeVarint,
} from "../../_bytes/bytes.ts";
import { itemCodec, objectCodec } from "../../_diff/codec.ts";
import { checksum } from "../../_state/seal.ts";
import { type Change, changes, countChanges, Snapshot, splice } from "../../_diff/snapshot.ts";
import { ExternalError } from "../../error.ts";
import type { ObjectMeta } from "../../store.ts";

// ---- a naive model: a Map, sorted by code points ----

type Model = Map<string, ObjectMeta>;

function compareKeys(a: string, b: string): number {
  const x = textBytes(a), y = textBytes(b);
  return compareBytes(x, 0, x.length, y, 0, y.length);
}

function sorted(model: Model): ObjectMeta[] {
  return [...model.values()].sort((a, b) => compareKeys(a.key, b.key));
}

function identityOf(object: ObjectMeta): string {
  return JSON.stringify(
    object.etag === undefined
      ? [object.size, object.lastModified ?? null]
      : [object.size, object.etag],
  );
}

function naiveChanges(old: Model, next: Model): Change<ObjectMeta>[] {
  const found: Change<ObjectMeta>[] = [];
  for (const item of sorted(new Map([...old, ...next]))) {
    const before = old.get(item.key), after = next.get(item.key);
    if (before === undefined) found.push({ type: "added", item });
    else if (after === undefined) found.push({ type: "removed", item: before });
    else if (identityOf(before) !== identityOf(after)) {
      found.push({ type: "modified", item: after, previous: before });
    }
  }
  return found;
}

function addRaw(builder: ObjectBuilder, object: ObjectMeta): void {
  // Surrounded by other bytes, as in a page.
  const key = textBytes(`<${object.key}>`), etag = textBytes(`<${object.etag ?? ""}>`);
  builder.addRaw(
    key,
    1,
    key.length - 1,
    etag,
    object.etag === undefined ? -1 : 1,
    etag.length - 1,
    false,
    object.size,
    object.lastModified,
  );
  key.fill(0xff);
  etag.fill(0xff);
}

function build(objects: Iterable<ObjectMeta>, old?: Snapshot): Snapshot {
  const builder = new ObjectBuilder(old);
  for (const object of objects) builder.add(object);
  return builder.finish();
}

function modelOf(snapshot: Snapshot): Model {
  return new Map([...snapshot.values(objectCodec)].map((object) => [object.key, object]));
}

const shape = (snapshot: Snapshot) => [...snapshot.values(objectCodec)];

// ---- arbitraries ----

const HOSTILE = [
  "",
  "/",
  "//",
  "..",
  "../a",
  "__proto__",
  "constructor",
  "%2F",
  "+",
  " ",
  "\0",
  "\u0001\n\r",
  "\u007f\u0080",
  "\ufeff",
  "\ufeffa",
  "\uffff",
  "\u{10000}",
  "\u{1f600}",
  "a\ud800",
  "a\udfff",
  "\ud800",
  "\udbff",
  "\udc00",
  "\udc00\ud800",
  "\ufffd",
  "ä",
  "a\u0308",
  "x".repeat(127),
  "x".repeat(128),
  "x".repeat(1024),
  "x".repeat(200) + "\ud800",
  "é".repeat(200),
];
const HEX = "0123456789abcdef0123456789abcdef";
const ETAGS = [
  "",
  '"',
  '""',
  `"${HEX}"`,
  HEX,
  HEX.toUpperCase(),
  `"${HEX.toUpperCase()}"`,
  `'${HEX}'`,
  `"${HEX}`,
  `${HEX}"`,
  `""${HEX}""`,
  `W/"${HEX}"`,
  `${HEX}-1`,
  `"${HEX}-10000"`,
  `"${HEX}-0"`,
  `"${HEX}-01"`,
  `"${HEX}-"`,
  `"${HEX}--1"`,
  `"${HEX}-999999999999999999"`,
  `"${HEX}-9007199254740991"`,
  `${HEX}0`,
  HEX.slice(1),
  "g".repeat(32),
  "0",
  "00",
  "01",
  "-1",
  "1e3",
  "1763869468123456",
  '"1763869468123456"',
  "9007199254740991",
  "9007199254740992",
  "9007199254740993",
  "9999999999999999",
  "0x8DC5A1B2C3D4E5F",
  '"ä\u{1f600}\ud800"',
];
const hex = fc.string({
  unit: fc.constantFrom(..."0123456789abcdefA"),
  minLength: 31,
  maxLength: 33,
});
/** Keys that differ only in what is likely to be packed. */
function alikeKey(middle: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc.tuple(fc.constantFrom("", "a-"), middle, fc.constantFrom(".bin", ".Bin", ""))
    .map((parts) => parts.join(""));
}
const anyKey = fc.oneof(
  fc.constantFrom(...HOSTILE),
  fc.string({ unit: "binary" }),
  fc.string({
    unit: fc.constantFrom("a", "b", "/", "é", "\u{1f600}", "\ud800", "\uffff"),
  }),
  alikeKey(fc.string({ unit: fc.constantFrom(..."0189afgA-é"), minLength: 5, maxLength: 6 })),
);
const anyEtag = fc.option(
  fc.oneof(
    fc.constantFrom(...ETAGS),
    fc.string({ unit: "binary" }),
    fc.tuple(hex, fc.constantFrom("", "-1", "-23", "-x"), fc.boolean()).map(([h, n, q]) =>
      q ? `"${h}${n}"` : h + n
    ),
    fc.bigInt(0n, 10n ** 17n).map(String),
  ),
  { nil: undefined },
);
const anySize = fc.oneof(
  fc.nat(),
  fc.maxSafeNat(),
  fc.constantFrom(0, 127, 128, 2 ** 31, 2 ** 53 - 1),
);
const anyTime = fc.option(
  fc.oneof(
    fc.maxSafeInteger(),
    fc.nat().map((seconds) => seconds * 1000),
    fc.double().filter((time) => !Object.is(time, -0)),
    fc.constantFrom(0, 1, 999, 4294967295000, 4294967296000, 2 ** 48 - 1, 2 ** 48, -1, NaN, 0.5),
  ),
  { nil: undefined },
);

function objectOf(key: string, size: number, etag?: string, lastModified?: number): ObjectMeta {
  return {
    key,
    size,
    ...(etag === undefined ? {} : { etag }),
    ...(lastModified === undefined ? {} : { lastModified }),
  };
}
const anyObject = fc.tuple(anyKey, anySize, anyEtag, anyTime).map((fields) => objectOf(...fields));
/** Few keys and few states, so that histories collide. */
const smallKey = fc.oneof(
  fc.nat(60).map((n) => `dir/${String(n).padStart(3, "0")}`),
  alikeKey(fc.nat(40).map((n) => (n * 97).toString(16).padStart(3, "0"))),
  fc.constantFrom(...HOSTILE),
);
const smallObject = fc.tuple(
  smallKey,
  fc.nat(2),
  fc.constantFrom(undefined, '"e"', HEX),
  fc.constantFrom(1000, 2000),
)
  .map((fields) => objectOf(...fields));

const byKey = (a: ObjectMeta, b: ObjectMeta) => compareKeys(a.key, b.key);

/** A large, regular listing: several chunks. */
function listing(
  count: number,
  edit: (object: ObjectMeta, i: number) => ObjectMeta | undefined = (o) => o,
) {
  const objects: ObjectMeta[] = [];
  for (let i = 0; i < count; i++) {
    const digest = (i * 2654435761 >>> 0).toString(16).padStart(8, "0").repeat(4);
    const object = edit({
      key: `data/2026/11/23/part-${String(i).padStart(9, "0")}.parquet`,
      size: i * 7919 % 1_000_003,
      etag: `"${digest}"`,
      lastModified: 1_763_869_468_000 + i * 1000,
    }, i);
    if (object !== undefined) objects.push(object);
  }
  return objects;
}

// ---- bytes ----

test("text: every string round-trips, and bytes order as code points", () => {
  fc.assert(
    fc.property(anyKey, anyKey, (a, b) => {
      const x = textBytes(a);
      assert.equal(readText(x, 0, x.length), a);
      assert.ok(isText(x, 0, x.length));
      const points = (text: string) => Array.from(text, (c) => c.codePointAt(0)!);
      const p = points(a), q = points(b);
      let order = 0;
      for (let i = 0; order === 0 && i < Math.max(p.length, q.length); i++) {
        order = (p[i] ?? -1) - (q[i] ?? -1);
      }
      assert.equal(Math.sign(compareKeys(a, b)), Math.sign(order));
      if (a.isWellFormed()) assert.deepEqual([...x], [...new TextEncoder().encode(a)]);
    }),
    { numRuns: 2000 },
  );
});

test("text: bytes that no string encodes to are told", () => {
  for (
    const bytes of [
      [0x80],
      [0xc0, 0x80],
      [0xc1, 0xbf],
      [0xe0, 0x80, 0x80],
      [0xf0, 0x80, 0x80, 0x80],
      [0xc3],
      [
        0xe2,
        0x82,
      ],
      [0xf4, 0x90, 0x80, 0x80],
      [0xf5, 0x80, 0x80, 0x80],
      [0xed, 0xa0, 0x80, 0xed, 0xb0, 0x80],
      [0xff],
      [
        0x61,
        0xc3,
        0x61,
      ],
    ]
  ) {
    assert.equal(isText(Uint8Array.from(bytes), 0, bytes.length), false, String(bytes));
    const builder = new ObjectBuilder();
    assert.throws(
      () =>
        builder.addRaw(
          Uint8Array.from(bytes),
          0,
          bytes.length,
          new Uint8Array(),
          -1,
          -1,
          false,
          1,
          1,
        ),
      (error: unknown) => error instanceof ExternalError && error.code === "protocol",
    );
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 8 }), (bytes) => {
      const text = readText(bytes, 0, bytes.length);
      if (!isText(bytes, 0, bytes.length)) return;
      assert.deepEqual([...textBytes(text)], [...bytes]);
    }),
    { numRuns: 2000 },
  );
});

test("varint: every whole number round-trips, a cut or overlong one is told", () => {
  fc.assert(fc.property(anySize, (value) => {
    const bytes = new Uint8Array(9);
    const end = writeVarint(value, bytes, 0);
    assert.equal(readVarint(bytes, 0, end), value);
    for (let cut = 0; cut < end; cut++) assert.equal(readVarint(bytes, 0, cut), -1);
  }));
  assert.equal(readVarint(new Uint8Array(9).fill(255), 0, 9), -1);
  assert.equal(readVarint(Uint8Array.from([255, 255, 255, 255, 255, 255, 255, 127]), 0, 8), -1);
});

// ---- values ----

test("every key, size, ETag and time comes back as it was, by either way in", () => {
  fc.assert(
    fc.property(anyObject, (object) => {
      const raw = new ObjectBuilder();
      addRaw(raw, object);
      const next = build([object]);
      assert.deepEqual(shape(next), [object]);
      assert.deepEqual(raw.finish(), next);
      assert.deepEqual(next.get(object.key, objectCodec), object);
      assert.deepEqual(shape(Snapshot.restore(next.save("x"), "x", objectCodec)), [object]);
    }),
    { numRuns: 3000 },
  );
  for (const etag of ETAGS) {
    assert.equal(shape(build([{ key: "k", size: 1, etag }]))[0]?.etag, etag);
  }
});

test("an ETag without its quotes is the ETag with them", () => {
  for (const etag of ETAGS) {
    const bytes = textBytes(etag);
    const raw = new ObjectBuilder();
    raw.addRaw(textBytes("k"), 0, 1, bytes, 0, bytes.length, true, 1, 1);
    assert.deepEqual(
      raw.finish(),
      build([{ key: "k", size: 1, etag: `"${etag}"`, lastModified: 1 }]),
    );
  }
});

test("common ETags are packed", () => {
  const size = (etag: string) => build([{ key: "k", size: 1, etag }]).byteLength;
  assert.equal(size(`"${HEX}"`), 3 + 1 + 2 + 16);
  assert.equal(size(`${HEX}-12`), 3 + 1 + 2 + 17);
  assert.equal(size("1763869468123456"), 3 + 1 + 2 + 8);
});

test("keys that look alike are packed", () => {
  // The bytes that the second key takes, and the rest of its entry.
  const size = (first: string, second: string) => {
    const [a, b] = [{ key: first, size: 1 }, { key: second, size: 1 }];
    const both = build([a, b]);
    assert.deepEqual(shape(both), [a, b]);
    return both.byteLength - build([a]).byteLength - 3 - 2;
  };
  assert.equal(size("part-000123.parquet", "part-000124.parquet"), 2); // 4, a, e
  assert.equal(size("0aff/x.bin", "7b00/x.bin"), 3); // 7, b, 0, 0, b
  assert.equal(
    size("550e8400-e29b-41d4-a716-446655440000", "f47ac10b-58cc-4372-a567-0e02b2c3d479"),
    16,
  );
  // Of another length, with another hyphen, in another case, without digits: as they are.
  assert.equal(size("a/99.bin", "a/a00.bin"), 7);
  assert.equal(size("00-00", "000-0"), 3);
  assert.equal(size("k/AB", "k/CD"), 2);
  assert.equal(size("k/gh", "k/ij"), 2);
});

test("a size that is no whole number is refused", () => {
  for (const size of [-1, 0.5, NaN, Infinity, 2 ** 53]) {
    assert.throws(
      () => build([{ key: "k", size }]),
      (error: unknown) =>
        error instanceof ExternalError && error.code === "protocol" && /'k'/.test(error.message),
    );
    assert.throws(() => addRaw(new ObjectBuilder(), { key: "k", size }), ExternalError);
  }
});

test("items: version decides, JSON is kept", () => {
  fc.assert(
    fc.property(
      anyKey,
      fc.string({ unit: "binary" }),
      fc.json(),
      fc.json(),
      (key, version, json, other) => {
        const one = (v: string, j?: string) => {
          const builder = new ItemBuilder();
          builder.add(key, v, j);
          return builder.finish();
        };
        assert.deepEqual([...one(version, json).values(itemCodec)], [{ key, version, json }]);
        assert.deepEqual([...one(json).values(itemCodec)], [{ key, version: json }]);
        assert.deepEqual([...changes(one(version, json), one(version, other), itemCodec)], []);
        assert.deepEqual([...changes(one(version, json), one(version + "x", other), itemCodec)], [
          {
            type: "modified",
            item: { key, version: version + "x", json: other },
            previous: { key, version, json },
          },
        ]);
      },
    ),
  );
});

test("items: where the version ends counts", () => {
  const one = (version: string, json: string, old?: Snapshot) => {
    const builder = new ItemBuilder(old);
    builder.add("k", version, json);
    return builder.finish();
  };
  const old = one("1", "12");
  const next = one("11", "2", old);
  assert.deepEqual([...next.values(itemCodec)], [{ key: "k", version: "11", json: "2" }]);
  assert.equal(countChanges(old, next).modified, 1);
});

test("items: large JSON, keys out of order", () => {
  const json = JSON.stringify({ text: "ä\u{1f600}".repeat(50_000) });
  const builder = new ItemBuilder();
  for (const key of ["c", "a", "b"]) builder.add(key, "1", json);
  const snapshot = builder.finish();
  assert.deepEqual([...snapshot.values(itemCodec)].map((item) => [item.key, item.json === json]), [
    ["a", true],
    ["b", true],
    ["c", true],
  ]);
});

// ---- the merge ----

const poll = fc.record({
  objects: fc.array(fc.tuple(smallObject, fc.nat(3).map((n) => n === 0)), { maxLength: 60 }),
  inOrder: fc.boolean(),
  raw: fc.boolean(),
});

test("the changes equal those of a Map, under any history, order and repeats", () => {
  fc.assert(
    fc.property(fc.array(poll, { minLength: 1, maxLength: 5 }), (history) => {
      let old = Snapshot.empty;
      let model: Model = new Map();
      for (const { objects, inOrder, raw } of history) {
        const next: Model = new Map();
        const builder = new ObjectBuilder(old);
        const listed = inOrder ? objects.toSorted(([a], [b]) => byKey(a, b)) : objects;
        for (const [object, keep] of listed) {
          const state = keep ? model.get(object.key) : object;
          if (state === undefined) next.delete(object.key);
          else next.set(object.key, state);
          const key = textBytes(object.key);
          if (keep && raw) builder.keepRaw(key, 0, key.length);
          else if (keep) builder.keep(object.key);
          else if (raw) addRaw(builder, object);
          else builder.add(object);
        }
        const snapshot = builder.finish();
        const expected = naiveChanges(model, next);
        assert.deepEqual(shape(snapshot), sorted(next));
        assert.deepEqual([...changes(old, snapshot, objectCodec)], expected);
        const of = (type: string) => expected.filter((change) => change.type === type).length;
        assert.deepEqual(countChanges(old, snapshot), {
          added: of("added"),
          modified: of("modified"),
          removed: of("removed"),
        });
        assert.equal(snapshot.count, next.size);
        old = snapshot;
        model = next;
      }
    }),
    { numRuns: 1000 },
  );
});

/** What may happen to each object of a listing of several chunks, from one poll to the next. */
const edits = fc.array(
  fc.record({
    from: fc.nat(3999),
    length: fc.oneof(fc.constant(1), fc.nat(1500)),
    what: fc.constantFrom("remove", "change", "retime", "insert", "keep"),
  }),
  { maxLength: 6 },
);

test("large listings: edits anywhere, kept entries, in and out of order, over generations", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(edits, fc.nat(3)), { minLength: 1, maxLength: 4 }), (history) => {
      let model: Model = new Map(listing(4000).map((object) => [object.key, object]));
      let old = build(model.values());
      assert.ok(old.chunks.length > 3);
      for (const [generation, [steps, shuffle]] of history.entries()) {
        let entries = sorted(model).map((object) => ({ object, keep: false }));
        for (const { from, length, what } of steps) {
          entries = entries.flatMap((entry, i) => {
            if (i < from || i >= from + length) return [entry];
            const { object } = entry;
            switch (what) {
              case "remove":
                return [];
              case "change":
                return [{ ...entry, object: { ...object, size: object.size + 1 } }];
              case "retime":
                return [{ ...entry, object: { ...object, lastModified: generation } }];
              case "keep":
                return [{ object: { ...object, size: object.size + 3 }, keep: true }];
            }
            const added = { ...object, key: `${object.key}+${generation}` };
            return [entry, { object: added, keep: i % 3 === 0 }];
          });
        }
        // In order; the second half first; backwards in blocks; with far repeats before.
        const half = entries.length >> 1;
        if (shuffle === 1) entries = [...entries.slice(half), ...entries.slice(0, half)];
        if (shuffle === 2) {
          const blocks = Math.ceil(entries.length / 64);
          entries = Array.from(
            { length: blocks },
            (_, i) => entries.slice(i * 64, i * 64 + 64).reverse(),
          ).flat();
        }
        if (shuffle === 3) {
          const repeats = entries.slice(-50).map(({ object }) => ({
            object: { ...object, size: 1 },
            keep: false,
          }));
          entries = [...repeats, ...entries];
        }
        const next: Model = new Map();
        const builder = new ObjectBuilder(old);
        for (const { object, keep } of entries) {
          if (keep) builder.keep(object.key);
          else builder.add(object);
          const state = keep ? model.get(object.key) : object;
          if (state === undefined) next.delete(object.key);
          else next.set(object.key, state);
        }
        const snapshot = builder.finish();
        assert.deepEqual(shape(snapshot), sorted(next));
        assert.deepEqual([...changes(old, snapshot, objectCodec)], naiveChanges(model, next));
        assert.deepEqual(snapshot, Snapshot.restore(snapshot.save("x"), "x", objectCodec));
        old = snapshot;
        model = next;
      }
    }),
    { numRuns: 30 },
  );
});

test("keep: keys that the old snapshot lacks do not hide lesser ones that it has", () => {
  const objects = ["a", "m", "z"].map((key) => ({ key, size: 1, etag: "e" }));
  const old = build(objects);
  const builder = new ObjectBuilder(old);
  builder.add({ key: "a", size: 2 });
  for (const key of ["x", "m", "z"]) builder.keep(key);
  assert.deepEqual(shape(builder.finish()), [{ key: "a", size: 2 }, ...objects.slice(1)]);
});

test("changes are found while they are read", () => {
  const snapshot = build(listing(8000));
  let decoded = 0;
  const codec = {
    ...objectCodec,
    decode: (
      ...args: Parameters<typeof objectCodec.decode>
    ) => (decoded++, objectCodec.decode(...args)),
  };
  const found = changes(Snapshot.empty, snapshot, codec);
  assert.equal(decoded, 0);
  found.next();
  assert.equal(decoded, 1);
  assert.deepEqual([...changes(snapshot, snapshot, codec)], []);
  assert.equal(decoded, 1);
});

test("more entries out of order than one batch sorts; the last of far repeats wins", () => {
  const objects = listing(150_000);
  const snapshot = build([
    ...objects.map((object) => ({ ...object, size: 0 })),
    ...objects.toReversed(),
  ]);
  assert.deepEqual(snapshot, build(objects));
});

// ---- sharing ----

/** Chunks of `next` that are not chunks of `old`. */
function fresh(old: Snapshot, next: Snapshot): number {
  const known = new Set(old.chunks);
  return next.chunks.filter((chunk) => !known.has(chunk)).length;
}

test("an unchanged listing shares every chunk, by every way in", () => {
  const objects = listing(20_000);
  const old = build(objects);
  assert.ok(old.chunks.length > 15);
  const raw = new ObjectBuilder(old);
  for (const object of objects) addRaw(raw, object);
  const kept = new ObjectBuilder(old);
  for (const object of objects) kept.keep(object.key);
  const mixed = new ObjectBuilder(old);
  objects.forEach((object, i) => i % 2 ? mixed.add(object) : addRaw(mixed, object));
  for (
    const next of [
      build(objects, old),
      build(objects.toReversed(), old),
      raw.finish(),
      kept.finish(),
      mixed.finish(),
    ]
  ) {
    assert.equal(next.chunks.length, old.chunks.length);
    next.chunks.forEach((chunk, i) => assert.equal(chunk, old.chunks[i]));
  }
});

test("one insertion, removal or change makes one new chunk", () => {
  const objects = listing(20_000);
  const old = build(objects);
  const first = old.chunks[0]!.count;
  for (const at of [0, 1, first - 1, first, first + 1, 10_000, 19_998, 19_999]) {
    const changed = objects.with(at, { ...objects[at]!, size: 5_000_000 });
    const removed = objects.toSpliced(at, 1);
    const inserted = objects.toSpliced(at, 0, {
      ...objects[at]!,
      key: objects[at]!.key.slice(0, -1),
    });
    for (const [what, next] of Object.entries({ changed, removed, inserted })) {
      const snapshot = build(next, old);
      assert.equal(snapshot.count, next.length);
      assert.deepEqual(shape(snapshot), next);
      assert.ok(fresh(old, snapshot) <= 1, `${what} at ${at}: ${fresh(old, snapshot)} new chunks`);
    }
  }
});

test("insertions at one place never move the borders behind it, and chunks keep a sensible size", () => {
  let objects = listing(20_000);
  let old = build(objects);
  for (let round = 0; round < 40; round++) {
    const at = 5000;
    const more = Array.from({ length: 100 }, (_, i) => {
      const object = objects[at]!;
      return {
        ...object,
        key: `${object.key.slice(0, 33)}!${99 - round}${String(i).padStart(3, "0")}`,
      };
    });
    objects = [...objects, ...more].sort(byKey);
    const next = build(objects, old);
    assert.deepEqual(next.count, objects.length);
    assert.ok(fresh(old, next) <= 3, `round ${round}: ${fresh(old, next)} new chunks`);
    old = next;
  }
  assert.ok(old.chunks.every((chunk) => chunk.bytes.length < 70_000));
  const thinned = objects.filter((_, i) => i % 50 === 0);
  const next = build(thinned, old);
  assert.deepEqual(shape(next), thinned);
  assert.ok(next.chunks.length < 8, `${next.chunks.length} chunks for ${thinned.length} entries`);
});

test("a chunk emptied whole costs its neighbours nothing", () => {
  const objects = listing(20_000);
  const old = build(objects);
  const [a, b] = [old.chunks[0]!.count, old.chunks[1]!.count];
  const next = build(objects.toSpliced(a, b), old);
  assert.equal(fresh(old, next), 0);
  assert.equal(next.chunks.length, old.chunks.length - 1);
});

// ---- slices ----

test("slice, concat and splice equal the same of a sorted array", () => {
  const objects = listing(6000);
  const snapshot = build(objects);
  const bound = fc.option(
    fc.oneof(
      fc.nat(5999).map((i) => objects[i]!.key),
      fc.nat(5999).map((i) => objects[i]!.key + "x"),
      fc.nat(snapshot.chunks.length - 1).map((i) =>
        shape(new Snapshot([snapshot.chunks[i]!])).at(-1)!.key
      ),
      fc.nat(snapshot.chunks.length - 1).map((i) =>
        shape(new Snapshot([snapshot.chunks[i]!]))[0]!.key
      ),
      fc.constantFrom("", "data", "zzz", "\u{10ffff}"),
    ),
    { nil: undefined },
  );
  fc.assert(
    fc.property(bound, bound, (after, until) => {
      const part = snapshot.slice(after, until);
      const within = objects.filter(({ key }) =>
        (after === undefined || key > after) && (until === undefined || key <= until)
      );
      assert.deepEqual(shape(part), within);
      assert.equal(part.count, within.length);
      if (within.length > 0) Snapshot.restore(part.save("x"), "x", objectCodec);
      if (after !== undefined) {
        const joined = Snapshot.concat([snapshot.slice(undefined, after), snapshot.slice(after)]);
        assert.deepEqual(shape(joined), objects);
        assert.ok(fresh(snapshot, joined) <= 2);
      }
    }),
    { numRuns: 150 },
  );
});

test("splice: the new state up to a key, the old one behind it", () => {
  fc.assert(fc.property(fc.array(smallObject), fc.array(smallObject), smallKey, (a, b, key) => {
    const old = build(a), next = build(b);
    const expected = [
      ...shape(next).filter((object) => compareKeys(object.key, key) <= 0),
      ...shape(old).filter((object) => compareKeys(object.key, key) > 0),
    ];
    const both = splice(next, old, key);
    assert.deepEqual(shape(both), expected);
    // What is left to do are the changes behind the key.
    assert.deepEqual(
      [...changes(both, next, objectCodec)],
      [...changes(old, next, objectCodec)].filter(({ item }) => compareKeys(item.key, key) > 0),
    );
  }));
});

test("ranges cut by the last snapshot share its chunks", () => {
  const objects = listing(20_000);
  const old = build(objects);
  for (const parts of [1, 2, 3, 16, 10_000]) {
    const cuts = old.cuts(parts);
    assert.equal(cuts.length, Math.min(parts, old.chunks.length) - 1);
    const bounds = [undefined, ...cuts, undefined];
    const built = cuts.concat("").map((_, i) => {
      const [after, until] = [bounds[i], bounds[i + 1]];
      const builder = new ObjectBuilder(old.slice(after, until));
      for (const object of objects) {
        if (after !== undefined && object.key <= after) continue;
        if (until !== undefined && object.key > until) continue;
        builder.add(object);
      }
      return builder.finish();
    });
    const next = Snapshot.concat(built);
    assert.equal(fresh(old, next), 0);
    assert.deepEqual([...changes(old, next, objectCodec)], []);
    const even = objects.length / built.length;
    if (parts <= 3) {
      for (const part of built) assert.ok(Math.abs(part.count - even) < 1000, `${part.count}`);
    }
  }
  assert.deepEqual(Snapshot.empty.cuts(16), []);
});

test("ranges that overlap are an error", () => {
  const part = build(listing(10));
  for (const parts of [[part, part], [build(listing(10).slice(5)), build(listing(5))]]) {
    assert.throws(
      () => Snapshot.concat(parts),
      (error: unknown) => error instanceof ExternalError && error.code === "protocol",
    );
  }
  assert.equal(Snapshot.concat([Snapshot.empty, part, Snapshot.empty]).count, 10);
});

// ---- save and restore ----

function refusal(bytes: Uint8Array, identity = "s3://b/p"): ExternalError {
  try {
    Snapshot.restore(bytes, identity, objectCodec);
  } catch (error) {
    assert.ok(error instanceof ExternalError, String(error));
    assert.equal(error.code, "checkpoint");
    return error;
  }
  throw new Error("the bytes were accepted");
}

const small = () => build(listing(12).concat({ key: "é\ud800", size: 1 })).save("s3://b/p");

/** The bytes with another one in them, and a checksum that is right. */
function forge(saved: Uint8Array, ...changes: readonly [at: number, byte: number][]): Uint8Array {
  const forged = saved.slice();
  for (const [at, byte] of changes) forged[at] = byte;
  forged.set(checksum(forged, forged.length - 16), forged.length - 16);
  return forged;
}

test("a saved snapshot comes back, from any place in memory, and does not hold on to the bytes", () => {
  const snapshot = build(listing(5000));
  const saved = snapshot.save("s3://b/ä");
  const shifted = new Uint8Array(saved.length + 7).subarray(3, saved.length + 3);
  shifted.set(saved);
  const restored = Snapshot.restore(shifted, "s3://b/ä", objectCodec);
  shifted.fill(0);
  assert.deepEqual(restored, snapshot);
  assert.deepEqual(restored.save("s3://b/ä"), saved);
  assert.equal(Snapshot.restore(Snapshot.empty.save(""), "", objectCodec).count, 0);
});

test("every flipped byte and every cut is refused", () => {
  const saved = small();
  for (let at = 0; at < saved.length; at++) {
    for (const mask of [0x01, 0x80, 0xff]) refusal(saved.with(at, saved[at]! ^ mask));
    assert.match(refusal(saved.subarray(0, at)).message, /cut short/);
  }
  for (let a = 0; a < saved.length - 4; a += 3) {
    const swapped = saved.slice();
    swapped.copyWithin(a, a + 4, a + 5);
    if (swapped[a] !== saved[a]) refusal(swapped);
  }
});

test("the refusal says which and what to do", () => {
  const saved = small();
  assert.match(refusal(textBytes('{"state":1}'.repeat(9))).message, /not a checkpoint/);
  assert.match(refusal(saved.with(8, 3)).message, /version 3 .* newer/);
  assert.match(refusal(forge(saved, [8, 1])).message, /version 1, .* no more.*start afresh/);
  assert.match(refusal(saved.with(8, 1)).message, /damaged/);
  assert.match(refusal(saved, "s3://other").message, /'s3:\/\/other' .* belongs to 's3:\/\/b\/p'/);
  assert.match(refusal(saved.with(60, saved[60]! ^ 1)).message, /damaged.*start afresh/);
  assert.match(refusal(saved.subarray(0, 70)).message, /cut short, 70 of \d+ bytes.*start afresh/);
  const longer = new Uint8Array(saved.length + 1);
  longer.set(saved);
  assert.match(refusal(longer).message, /damaged/);
});

test("bytes with a right checksum and a wrong inside are refused, or sound", () => {
  const saved = small();
  let refused = 0, accepted = 0;
  const spoil = fc.array(fc.tuple(fc.integer({ min: 20, max: saved.length - 17 }), fc.nat(255)), {
    minLength: 1,
    maxLength: 3,
  });
  fc.assert(
    fc.property(spoil, (bytes) => {
      const forged = forge(saved, ...bytes);
      let snapshot: Snapshot;
      try {
        snapshot = Snapshot.restore(forged, "s3://b/p", objectCodec);
      } catch (error) {
        assert.ok(error instanceof ExternalError && error.code === "checkpoint", String(error));
        refused++;
        return;
      }
      accepted++;
      const keys = shape(snapshot).map((object) => object.key);
      assert.equal(keys.length, snapshot.count);
      for (let i = 1; i < keys.length; i++) assert.ok(compareKeys(keys[i - 1]!, keys[i]!) < 0);
      assert.deepEqual(shape(build(shape(snapshot))), shape(snapshot));
    }),
    { numRuns: 5000 },
  );
  assert.ok(refused > 500 && accepted > 500, `${refused} refused, ${accepted} accepted`);
});

test("memory: at most 48 bytes an object, keys of 40 to 50 characters", () => {
  const bytes = (objects: ObjectMeta[]) => build(objects).byteLength / objects.length;
  assert.ok(bytes(listing(20_000)) < 31, `padded numbers: ${bytes(listing(20_000))}`);
  // Random all over, and not even times are of whole seconds.
  const digest = (i: number) => createHash("sha1").update(String(i)).digest("hex");
  const hashes = listing(20_000, (object, i) => ({
    ...object,
    key: `uploads/${digest(i).slice(8)}.bin`,
    lastModified: 1_763_869_468_000 + i,
  }));
  assert.equal(hashes[0]?.key.length, 44);
  assert.ok(bytes(hashes) < 46, `hashes: ${bytes(hashes)}`);
});

test("a change of time alone is no change where there is an ETag", () => {
  const a = build([{ key: "k", size: 1, etag: "e", lastModified: 1 }]);
  const b = build([{ key: "k", size: 1, etag: "e", lastModified: 2 }], a);
  assert.deepEqual([...changes(a, b, objectCodec)], []);
  assert.equal(b.get("k", objectCodec)?.lastModified, 2);
  const c = build([{ key: "k", size: 1, lastModified: 1 }]);
  const d = build([{ key: "k", size: 1, lastModified: 2 }], c);
  assert.equal([...changes(c, d, objectCodec)].length, 1);
  assert.deepEqual(modelOf(d).get("k"), { key: "k", size: 1, lastModified: 2 });
});
