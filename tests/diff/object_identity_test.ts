// What decides whether an object changed, and in how many bytes a snapshot keeps it.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { textBytes } from "../../_bytes/exact_text.ts";
import { ObjectBuilder } from "../../_diff/builder.ts";
import { changes } from "../../_diff/changes.ts";
import { objectCodec } from "../../_diff/object_identity.ts";
import { ExternalError } from "../../error.ts";
import type { ObjectMeta } from "../../store.ts";
import {
  addRaw,
  anyObject,
  build,
  ETAGS,
  HEX,
  modelOf,
  restoreOne,
  saveOne,
  shape,
} from "./_objects.ts";

test("an object changed when its ETag or its size differs", () => {
  const old = { key: "k", size: 1, etag: "e", lastModified: 1 };
  const changed = (next: ObjectMeta) =>
    [...changes(build([old]), build([next]), objectCodec)].length === 1;
  assert.ok(!changed(old));
  assert.ok(changed({ ...old, etag: "f" }));
  assert.ok(changed({ ...old, size: 2 }));
  assert.ok(changed({ key: "k", size: 1, lastModified: 1 }), "no ETag any more");
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

test("every key, size, ETag and time comes back as it was, by either way in", () => {
  fc.assert(
    fc.property(anyObject, (object) => {
      const raw = new ObjectBuilder();
      addRaw(raw, object);
      const next = build([object]);
      assert.deepEqual(shape(next), [object]);
      assert.deepEqual(raw.finish(), next);
      assert.deepEqual(next.get(object.key, objectCodec), object);
      assert.deepEqual(shape(restoreOne(saveOne(next, "x"), "x")), [object]);
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
  assert.equal(size("1000000000000009"), 3 + 1 + 2 + 8);
});

test("a size that is not a whole number is refused", () => {
  for (const size of [-1, 0.5, NaN, Infinity, 2 ** 53]) {
    assert.throws(
      () => build([{ key: "k", size }]),
      (error: unknown) =>
        error instanceof ExternalError && error.code === "protocol" && /'k'/.test(error.message),
    );
    assert.throws(() => addRaw(new ObjectBuilder(), { key: "k", size }), ExternalError);
  }
});

test("the identity of an object is exactly as long as what it holds", () => {
  const [none, plain, hex, multipart, decimal] = [0, 1, 2, 3, 4] as const;
  const digest = Array.from({ length: 16 }, () => 7);
  const check = (...bytes: number[]) =>
    objectCodec.check(Uint8Array.from(bytes), 0, bytes.length, bytes.length);
  assert.ok(check(plain, 1) && check(plain, 1, 0x61));
  assert.ok(!check() && !check(plain) && !check(plain, 0x80) && !check(plain, 1, 0xff));
  assert.ok(check(hex, 1, ...digest));
  assert.ok(!check(hex, 1, ...digest, 0) && !check(hex, 1, ...digest.slice(1)));
  assert.ok(!check(decimal, 1, 0x80), "a number that is cut off");
  assert.ok(check(decimal, 1, 5) && !check(decimal, 1) && !check(decimal, 1, 5, 0));
  assert.ok(check(multipart, 1, ...digest, 2));
  assert.ok(!check(multipart, 1, ...digest) && !check(multipart, 1, ...digest, 2, 0));
  for (const form of [5, 6, 7, 16]) assert.ok(!check(form, 1), `form ${form}`);
  // A time has 0, 4, 6 or 8 bytes: in the identity where there is no ETag, or else behind it.
  for (let bytes = 0; bytes < 10; bytes++) {
    const time = Array.from({ length: bytes }, () => 7);
    const isTime = [0, 4, 6, 8].includes(bytes);
    assert.equal(check(none, 1, ...time), isTime, `${bytes} bytes`);
    const all = Uint8Array.from([plain, 1, ...time]);
    assert.equal(objectCodec.check(all, 0, 2, all.length), isTime, `${bytes} bytes behind it`);
    const two = Uint8Array.from([none, 1, ...time]);
    assert.equal(objectCodec.check(two, 0, 2, two.length), bytes === 0, "it has a time already");
  }
});
