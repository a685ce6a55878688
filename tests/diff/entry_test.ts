import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import fc from "fast-check";
import { writeVarint } from "../../_bytes/bytes.ts";
import { textBytes } from "../../_bytes/exact_text.ts";
import {
  type Header,
  HEADER_ROOM,
  packRest,
  readHeader,
  unpackRest,
  writeHeader,
} from "../../_diff/entry.ts";
import { objectCodec } from "../../_diff/object_identity.ts";
import { seal } from "../../_state/sealed_state.ts";
import { restoreOne } from "./_objects.ts";

const size = fc.oneof(fc.nat(300), fc.maxSafeNat().map((n) => Math.floor(n / 2)));
const header = fc.record({
  shared: size,
  rest: size,
  packed: fc.boolean(),
  identity: size,
  extra: size,
});

test("a header comes back as it was, and one that is cut is told", () => {
  const read: Header = { shared: 0, rest: 0, packed: false, identity: 0, extra: 0, end: 0 };
  fc.assert(fc.property(header, fc.nat(5), (given, at) => {
    const { shared, rest, packed, identity, extra } = given;
    const bytes = new Uint8Array(HEADER_ROOM + at);
    const end = writeHeader(shared, rest, packed, identity, extra, bytes, at);
    assert.ok(end <= bytes.length);
    assert.ok(readHeader(bytes, at, end, read));
    assert.deepEqual(read, { ...given, end });
    for (let limit = at; limit < end; limit++) {
      assert.ok(!readHeader(bytes, at, limit, read), `${limit} of ${end}`);
    }
  }));
  // The longest that fit in one byte, and the shortest that do not. 255 says that they follow.
  for (const identity of [0, 30, 31, 32, 33]) {
    for (const extra of [0, 6, 7, 8, 9]) {
      const bytes = new Uint8Array(HEADER_ROOM);
      const end = writeHeader(1, 1, false, identity, extra, bytes, 0);
      assert.ok(readHeader(bytes, 0, end, read));
      assert.deepEqual(read, { shared: 1, rest: 1, packed: false, identity, extra, end });
      const short = identity < 32 && extra < 8 && identity + extra < 38;
      assert.equal(end, short ? 3 : 5, `${identity} and ${extra}`);
    }
  }
  // What nearly every object needs.
  assert.equal(writeHeader(63, 63, true, 31, 6, new Uint8Array(HEADER_ROOM), 0), 3);
});

test("a packed key comes back, and takes half a byte a digit", () => {
  const place = fc.constantFrom(..."09afgA-/é");
  let packed = 0;
  fc.assert(
    fc.property(fc.array(fc.tuple(place, place, fc.boolean()), { maxLength: 20 }), (places) => {
      const before = textBytes(places.map(([old]) => old).join(""));
      const key = textBytes(places.map(([old, other, same]) => same ? old : other).join(""));
      if (before.length !== key.length) return;
      const target = new Uint8Array(20);
      const bytes = packRest(before, 0, key.length, textBytes(`<${decode(key)}`), 1, target);
      const fits = key.every((byte, i) =>
        isDigit(byte) && isDigit(before[i] as number) || byte === before[i] && !isDigit(byte)
      );
      assert.equal(bytes >= 0, fits);
      if (!fits) return;
      packed++;
      assert.equal(bytes, Math.ceil(key.filter(isDigit).length / 2));
      assert.equal(unpackRest(target, 0, before, 0, key.length), bytes);
      assert.deepEqual(before, key);
    }),
    { numRuns: 2000 },
  );
  assert.ok(packed > 100, `${packed}`);
});

const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const isDigit = (byte: number) => /[0-9a-f]/.test(String.fromCharCode(byte));

interface Entry {
  readonly shared: number;
  readonly key: string;
  readonly packed?: boolean;
}

/** A state as `save` writes it, of chunks of any entries. */
function saved(chunks: readonly (readonly Entry[])[]): Uint8Array {
  const identity = [0, 1]; // no ETag, size 1, no time
  const parts = chunks.map((entries) =>
    entries.flatMap(({ shared, key, packed = false }) => {
      const rest = packed ? Buffer.from(key, "hex") : textBytes(key);
      const head = new Uint8Array(HEADER_ROOM);
      const end = writeHeader(shared, rest.length, packed, identity.length, 0, head, 0);
      return [...head.subarray(0, end), ...rest, ...identity];
    })
  );
  const table = new Uint8Array(100);
  let at = writeVarint(chunks.length, table, 0);
  parts.forEach((part, i) => {
    at = writeVarint(chunks[i]?.length ?? 0, table, writeVarint(part.length, table, at));
  });
  return seal("s", [table.subarray(0, at), ...parts.map((part) => Uint8Array.from(part))]);
}

const keysOf = (state: Uint8Array) =>
  [...restoreOne(state, "s").values(objectCodec)].map(({ key }) => key);

test("only entries as `save` writes them are restored", () => {
  const first = { shared: 0, key: "k/01.bin" };
  const packed = (shared: number, key: string) => ({ shared, key, packed: true });
  assert.deepEqual(
    keysOf(saved([[first, packed(2, "1fb0"), { shared: 3, key: "g" }], [{ shared: 0, key: "l" }]])),
    ["k/01.bin", "k/1f.bin", "k/1g", "l"],
  );
  const wrong: Record<string, Entry[][]> = {
    "packed, and nothing before": [[packed(0, "01")]],
    "packed, at the beginning of a chunk": [[first], [packed(0, "1fb0")]],
    "packed, too short": [[first, packed(2, "1f")]],
    "packed, too long": [[first, packed(2, "1fb000")]],
    "packed, the same key": [[first, packed(2, "01b0")]],
    "packed, a lesser key": [[first, packed(2, "00b0")]],
    "shares more than there is": [[first, { shared: 9, key: "x" }]],
    "shares, at the beginning of a chunk": [[first], [{ shared: 1, key: "x" }]],
    "a lesser key": [[first, { shared: 2, key: "00" }]],
    "the same key": [[first, { shared: 8, key: "" }]],
    "the empty key, twice": [[{ shared: 0, key: "" }, { shared: 0, key: "" }]],
    "the empty key, once more in another chunk": [[{ shared: 0, key: "" }], [{
      shared: 0,
      key: "",
    }]],
    "a chunk behind a greater one": [[first], [{ shared: 0, key: "a" }]],
    "a chunk of nothing": [[first], []],
    "nothing but a chunk of nothing": [[]],
  };
  for (const [what, chunks] of Object.entries(wrong)) {
    assert.throws(() => keysOf(saved(chunks)), { code: "checkpoint" }, what);
  }
});
