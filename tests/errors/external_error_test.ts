// What an ExternalError tells besides its message.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ExternalError } from "@koprs/external/error";

const known = { source: "list", status: 503, retryAfter: 0, key: "", attempt: 1 };

test("an error has the fields that are known, and no others", () => {
  const error = new ExternalError("handler", "failed", known);
  assert.ok(error instanceof Error);
  assert.deepEqual([error.name, error.code, error.message], ["ExternalError", "handler", "failed"]);
  const { source, status, retryAfter, key, attempt } = error;
  assert.deepEqual({ source, status, retryAfter, key, attempt }, known);
  for (const bare of [new ExternalError("store", "x"), new ExternalError("store", "x", {})]) {
    for (const field of [...Object.keys(known), "cause"]) assert.ok(!(field in bare), field);
  }
});

test("the cause is a copy, also of what is no error", () => {
  const inner = Object.assign(new TypeError("refused"), { headers: "s3cret" });
  const { cause } = new ExternalError("network", "failed", { cause: inner });
  assert.ok(cause instanceof TypeError && cause !== inner);
  assert.equal(cause.message, "refused");
  assert.ok(!("headers" in cause));
  assert.equal(new ExternalError("network", "failed", { cause: null }).cause, "null");
});

test("as JSON it has its name, code, message and the fields that are known", () => {
  const head = { name: "ExternalError", code: "handler", message: "failed" };
  const full = new ExternalError("handler", "failed", { ...known, cause: new Error("inner") });
  assert.deepEqual(JSON.parse(JSON.stringify(full)), { ...head, ...known });
  const bare = new ExternalError("handler", "failed");
  assert.deepEqual(bare.toJSON(), head);
});
