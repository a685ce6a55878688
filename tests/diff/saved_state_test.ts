// Snapshots as bytes: what comes back, and what is refused.
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import fc from "fast-check";
import { textBytes } from "../../_bytes/exact_text.ts";
import { compareKeys } from "../../_bytes/order.ts";
import { Snapshot } from "../../_diff/snapshot.ts";
import { checksum, unseal } from "../../_state/sealed_state.ts";
import { ExternalError } from "../../error.ts";
import { build, listing, restoreOne, saveOne, shape } from "./_objects.ts";

function refusal(bytes: Uint8Array, identity = "s3://b/p"): ExternalError {
  try {
    restoreOne(bytes, identity);
  } catch (error) {
    assert.ok(error instanceof ExternalError, String(error));
    assert.equal(error.code, "checkpoint");
    return error;
  }
  throw new Error("the bytes were accepted");
}

const small = () => saveOne(build(listing(12).concat({ key: "é\ud800", size: 1 })), "s3://b/p");

/** The bytes with another one in them, and a checksum that is right. */
function forge(saved: Uint8Array, ...changes: readonly [at: number, byte: number][]): Uint8Array {
  const forged = saved.slice();
  for (const [at, byte] of changes) forged[at] = byte;
  forged.set(checksum(forged, forged.length - 16), forged.length - 16);
  return forged;
}

test("a saved snapshot comes back, from any place in memory, and does not hold on to the bytes", () => {
  const snapshot = build(listing(5000));
  const saved = saveOne(snapshot, "s3://b/ä");
  const shifted = new Uint8Array(saved.length + 7).subarray(3, saved.length + 3);
  shifted.set(saved);
  const restored = restoreOne(shifted, "s3://b/ä");
  shifted.fill(0);
  assert.deepEqual(restored, snapshot);
  assert.deepEqual(saveOne(restored, "s3://b/ä"), saved);
  assert.equal(restoreOne(saveOne(Snapshot.empty, ""), "").count, 0);
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
  assert.match(refusal(forge(saved, [8, 1])).message, /version 1, .* can no longer.*start afresh/);
  assert.match(refusal(saved.with(8, 1)).message, /damaged/);
  assert.throws(() => unseal(saved, "s3://other"), /'s3:\/\/other' .* belongs to 's3:\/\/b\/p'/);
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
        snapshot = restoreOne(forged, "s3://b/p");
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

test("a key or an ETag that is no text is refused, whatever the checksum says", () => {
  const saved = saveOne(build([{ key: "key-in-text", size: 1, etag: "tag-in-text" }]), "s3://b/p");
  for (const word of ["key-in-text", "tag-in-text"]) {
    const at = Buffer.from(saved).indexOf(word) + 4;
    // 0xff is never in a text; the others are the first half of something.
    for (const byte of [0xff, 0xc3, 0x80]) {
      assert.match(refusal(forge(saved, [at, byte])).message, /damaged, it breaks the format/);
    }
    restoreOne(forge(saved, [at, 0x2b]), "s3://b/p");
  }
});
