// What is made of an error of a store's client: its status, the wait that it asks for, and its words.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ExternalError } from "@koprs/external/error";
import { askedWaitOf, statusOf, storeError } from "../../_listing/store_error.ts";

test("the status is found where the clients keep it", () => {
  const found: [unknown, number | undefined][] = [
    [{ $metadata: { httpStatusCode: 404 }, statusCode: 500 }, 404],
    [{ $metadata: {}, statusCode: 500 }, 500],
    [{ code: 412 }, 412],
    [{ code: "ECONNRESET", status: 503 }, 503],
    [{ statusCode: 100 }, 100],
    [{ statusCode: 599 }, 599],
    [{ statusCode: 99 }, undefined],
    [{ statusCode: 600 }, undefined],
    [{ statusCode: "500" }, undefined],
    [{}, undefined],
    [undefined, undefined],
    [null, undefined],
    ["500", undefined],
  ];
  for (const [thrown, status] of found) assert.equal(statusOf(thrown), status);
});

test("the wait is read of either answer, by either kind of headers", () => {
  const headers = { "retry-after": "7" };
  const wait = { retryAfter: 7_000 };
  assert.deepEqual(askedWaitOf({ statusCode: 503, response: { headers } }), wait);
  assert.deepEqual(
    askedWaitOf({ statusCode: 503, response: { headers: new Headers(headers) } }),
    wait,
  );
  const both = { $response: { headers }, response: { headers: { "retry-after": "9" } } };
  assert.deepEqual(askedWaitOf({ statusCode: 503, ...both }), wait);
  assert.deepEqual(
    askedWaitOf({ statusCode: 503, response: { headers: { "retry-after": 7 } } }),
    {},
  );
  assert.deepEqual(askedWaitOf({ statusCode: 503, response: {} }), {});
  assert.deepEqual(askedWaitOf(undefined), {});
  const limited = { rateLimit: "its rate limit is used up: poll less often" };
  assert.deepEqual(askedWaitOf({ statusCode: 429 }), limited);
});

test("the error says what failed, why, and what to do about it", () => {
  const made = (thrown: unknown, hint?: string) => {
    const error = storeError("list 'x'", "x", thrown, hint);
    assert(error instanceof ExternalError);
    assert.equal(error.source, "x");
    return [error.code, error.status, error.retryAfter, error.message];
  };
  const failed = (name: string, more: object = {}) =>
    Object.assign(new Error("it broke"), { name, ...more });
  const no = undefined;
  assert.deepEqual(made(failed("Error")), ["store", no, no, "Cannot list 'x': it broke"]);
  assert.deepEqual(made(failed("Odd", { status: 400 }), "look there"), [
    "store",
    400,
    no,
    "Cannot list 'x': Odd: it broke: look there",
  ]);
  assert.deepEqual(made("words"), ["store", no, no, "Cannot list 'x': words"]);
  const headers = { "retry-after": "7" };
  assert.deepEqual(made(failed("Busy", { status: 429, response: { headers } }), "look there"), [
    "store",
    429,
    7_000,
    "Cannot list 'x': Busy: it broke: its rate limit is used up, and resets in 7 s",
  ]);
  const reset = { code: "ECONNRESET" };
  assert.equal(made(failed("Error", reset))[0], "network");
  assert.equal(made(failed("Error", { ...reset, statusCode: 503 }))[0], "store");
  const cause = storeError("list 'x'", "x", failed("Odd")).cause;
  assert(cause instanceof Error && cause.message === "it broke");
  const own = new ExternalError("timeout", "Cannot wait");
  assert.equal(storeError("list 'x'", "x", own), own);
});
