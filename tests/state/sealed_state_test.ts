// The envelope of saved state: what is not whole, or too long to be read again.
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { checksum, MAX_STATE_BYTES, openSealed, seal, unseal } from "../../_state/sealed_state.ts";
import { ExternalError } from "../../error.ts";

test("a state that could not be read again is not made", () => {
  // One part, many times over: nothing so large is ever put together.
  const part = new Uint8Array(2 ** 26);
  const parts = Array.from({ length: Math.ceil(MAX_STATE_BYTES / part.length) }, () => part);
  assert.throws(() => seal("s3://b", parts), (error) => {
    assert.ok(error instanceof ExternalError, String(error));
    assert.equal(error.code, "checkpoint");
    assert.match(error.message, /^Cannot save the state of 's3:\/\/b' as it has \d+ bytes/);
    return true;
  });
  // What Node reads of a file at most.
  assert.ok(MAX_STATE_BYTES < 2 ** 31);
});

test("what was put in comes out, with what it belongs to", () => {
  const sealed = seal("s3://ä", [Uint8Array.of(1, 2), new Uint8Array(), Uint8Array.of(3)]);
  assert.deepEqual([...unseal(sealed, "s3://ä")], [1, 2, 3]);
  const { identity, state } = openSealed(sealed, "whatever");
  assert.equal(identity, "s3://ä");
  assert.deepEqual([...state], [1, 2, 3]);
  assert.throws(() => unseal(sealed, "s3://a"), { code: "checkpoint" });
});

/** A state of `s3://b` with the bytes 255, 254 and so on down to 235. */
const GOLDEN = "6b6f707273657874020000000000000000c050400600000073333a2f2f62" +
  "fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0efeeedeceb" + "448dd325bbd35f65f8ea6bb674c8123b";

/** The refusal of bytes that are not, or not all of, a state of `s3://b`. */
function refusal(bytes: Uint8Array): string {
  try {
    unseal(bytes, "s3://b");
  } catch (error) {
    assert.ok(error instanceof ExternalError && error.code === "checkpoint", String(error));
    assert.match(error.message, /^Cannot restore the state of 's3:\/\/b' as /);
    return error.message;
  }
  assert.fail("it was accepted");
}

/** The same with a checksum that is right. */
function resealed(bytes: Uint8Array): Uint8Array {
  const forged = bytes.slice();
  forged.set(checksum(forged, forged.length - 16), forged.length - 16);
  return forged;
}

test("the form never changes: states of earlier releases of this version are read", () => {
  const state = Uint8Array.from({ length: 21 }, (_, i) => 255 - i);
  const sealed = seal("s3://b", [state]);
  assert.equal(Buffer.from(sealed).toString("hex"), GOLDEN);
  assert.deepEqual(unseal(Uint8Array.from(Buffer.from(GOLDEN, "hex")), "s3://b"), state);
});

test("nothing at all can be kept, for nothing", () => {
  assert.equal(unseal(seal("", []), "").length, 0);
  assert.equal(unseal(seal("s3://b", []), "s3://b").length, 0);
});

test("a cut, a changed byte and a byte more are refused, whatever the length", () => {
  for (let length = 0; length < 18; length++) {
    const sealed = seal("s3://b", [new Uint8Array(length).fill(7)]);
    for (let at = 0; at < sealed.length; at++) {
      refusal(sealed.with(at, sealed[at] as number ^ 0x40));
      assert.match(refusal(sealed.subarray(0, at)), /cut short, \d+ of (at least 40|\d+) bytes/);
    }
    assert.match(refusal(Uint8Array.of(...sealed, 0)), /damaged, the checksum does not match/);
    assert.match(refusal(resealed(Uint8Array.of(...sealed, 0))), /damaged, the checksum/);
  }
});

test("a refusal tells what it is", () => {
  const sealed = seal("s3://b", [Uint8Array.of(1)]);
  assert.match(refusal(new Uint8Array()), /cut short, 0 of at least 40 bytes/);
  assert.match(refusal(Uint8Array.of(1)), /not a checkpoint/);
  assert.match(refusal(resealed(sealed.with(8, 3))), /version 3 and this release knows version 2/);
  assert.match(refusal(resealed(sealed.with(8, 1))), /version 1, which this release can no longer/);
  assert.match(refusal(sealed.with(8, 1)), /damaged/);
  assert.match(refusal(resealed(sealed.with(20, 8))), /damaged, its identity does not fit/);
  assert.match(refusal(resealed(sealed.with(20, 7))), /it belongs to 's3:\/\/b\\x01'/);
});
