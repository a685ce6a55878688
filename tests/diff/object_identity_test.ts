// What decides whether an object changed, and in how many bytes a snapshot keeps it.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import fc from "fast-check";
import { textBytes } from "../../_bytes/bytes.ts";
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
  listing,
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
