// The envelope of saved state: what is not whole, or too long to be read again.
import assert from "node:assert/strict";
import { test } from "node:test";
import { MAX_STATE_BYTES, openSealed, seal, unseal } from "../../_state/seal.ts";
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
