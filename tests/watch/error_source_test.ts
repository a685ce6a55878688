// What reaches 'onError' and 'status' names the watch's source, and holds nothing of what clients hang on errors.
import { ExternalError, type ExternalErrorOptions, watchExternal } from "@koprs/external";
import assert from "node:assert/strict";
import { test } from "node:test";
import { begin, ManualSource, settle, withWatch } from "./_watch.ts";

/** What `onError` is given for what a source throws. */
async function reported(thrown: unknown): Promise<ExternalError> {
  let error: ExternalError | undefined;
  await withWatch({}, async ({ source, reader, failures, watch }) => {
    begin(reader.read());
    await settle();
    await source.last.fail(thrown);
    assert.equal(failures.length, 1);
    error = failures[0]!.error;
    assert.equal(watch.status.lastError, error);
  });
  return error!;
}

function storeError(options: ExternalErrorOptions = {}): ExternalError {
  return new ExternalError("store", "Cannot list 's3://bucket'", options);
}

test("an error without a source gets that of the watch, and stays itself", async () => {
  const error = storeError({ status: 503, retryAfter: 7 });
  assert.equal(await reported(error), error);
  assert.equal(error.source, "manual");
  assert.deepEqual(Object.keys(error).sort(), ["code", "name", "retryAfter", "source", "status"]);
});

test("an error that names a store is copied, with all else that it says", async () => {
  const error = storeError({ source: "s3://bucket", status: 503, retryAfter: 7 });
  const copy = await reported(error);
  assert.notEqual(copy, error);
  assert.equal(error.source, "s3://bucket", "others may hold it as well");
  assert.equal(copy.source, "manual");
  const { code, message, status, retryAfter, stack, cause } = copy;
  assert.deepEqual(
    { code, message, status, retryAfter, stack, cause },
    {
      code: "store",
      message: "Cannot list 's3://bucket'",
      status: 503,
      retryAfter: 7,
      stack: error.stack,
      cause: undefined,
    },
  );
  assert.equal("cause" in copy, false);
});

test("an error that may not be changed is copied", async () => {
  for (const lock of [Object.freeze, Object.seal, Object.preventExtensions]) {
    const error = lock(storeError());
    const copy = await reported(error);
    assert.notEqual(copy, error);
    assert.equal(copy.source, "manual");
    assert.equal(copy.message, error.message);
    assert.equal(error.source, undefined);
  }
});

test("one error told to two watches names each", async () => {
  const shared = storeError();
  const errors: ExternalError[] = [];
  for (const name of ["one", "two"]) {
    const source = Object.assign(new ManualSource(), { name });
    const onError = (error: ExternalError) => errors.push(error);
    const watch = watchExternal(source, { interval: 1_000, logger: false, onError });
    const read = begin(watch.getReader().read());
    await settle();
    await source.last.fail(shared);
    await watch[Symbol.asyncDispose]();
    await read;
  }
  assert.deepEqual(errors.map(({ source }) => source), ["one", "two"]);
});

test("B3: a cause is a clean copy, whatever threw it", async () => {
  const request = { headers: { authorization: "Bearer hunter2" } };
  const thrown = () =>
    Object.assign(new RangeError("https://ada:lovelace@host/?token=hunter2 refused"), {
      config: request,
      response: { request },
    });
  const frozen = Object.freeze(storeError({ cause: thrown() }));
  for (const error of [thrown(), storeError({ cause: thrown() }), frozen]) {
    const { cause, message, stack } = await reported(error);
    assert.ok(cause instanceof Error);
    assert.equal(cause.name, "RangeError");
    assert.equal(cause.message, "https://host/?token=*** refused");
    assert.equal("config" in cause, false);
    for (const text of [message, stack, cause.stack, JSON.stringify(cause)]) {
      assert.doesNotMatch(text ?? "", /hunter2|lovelace/);
    }
  }
});

test("B3: nothing of a client's error is passed on but its words", async () => {
  const thrown = Object.assign(new Error("refused"), {
    config: { headers: { cookie: "hunter2" } },
  });
  for (const error of [thrown, storeError({ cause: thrown }), storeError({ cause: { thrown } })]) {
    const shown = await reported(error);
    const { cause } = shown;
    assert.ok(!Object.keys(shown).includes("cause"), "printed as JavaScript prints causes");
    assert.doesNotMatch(JSON.stringify({ ...(cause as object) }), /hunter2/);
    assert.equal("config" in Object(cause), false);
  }
});

test("a cause of its own class stays useful", async () => {
  const inner = new ExternalError("network", "connection reset");
  const { cause } = await reported(storeError({ cause: inner }));
  assert.ok(cause instanceof Error);
  assert.equal(cause.message, "connection reset");
  assert.equal((cause as ExternalError).code, "network");
});
