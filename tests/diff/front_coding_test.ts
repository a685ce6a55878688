// How few bytes a snapshot takes: keys that begin alike or look alike are written in part.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import type { ObjectMeta } from "../../store.ts";
import { build, listing, shape } from "./_objects.ts";

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
