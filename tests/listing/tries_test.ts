// How often a request is tried again, and how long is waited before.
import assert from "node:assert/strict";
import { mock, test, type TestContext } from "node:test";
import { type RequestBounds, withTries } from "../../_listing/tries.ts";

interface Failing {
  readonly status?: number;
  readonly code?: string;
  readonly retryAfter?: string;
}

function errorOf({ status, code, retryAfter }: Failing): Error {
  const headers = retryAfter === undefined ? {} : { "retry-after": retryAfter };
  return Object.assign(new Error("failed"), { code: status ?? code, response: { headers } });
}

/** An attempt that fails in turn with each of these, then succeeds; and the waits in between. */
function startFailing(scope: TestContext, failures: readonly Failing[], left = 60_000) {
  mock.timers.enable({ apis: ["setTimeout"] });
  scope.after(() => mock.timers.reset());
  const controller = new AbortController();
  const bounds: RequestBounds = {
    signal: controller.signal,
    deadline: performance.now() + left,
  };
  let tries = 0;
  const result = withTries(3, bounds, () => {
    const failure = failures[tries++];
    return failure === undefined ? Promise.resolve("done") : Promise.reject(errorOf(failure));
  });
  result.catch(() => {}); // looked at later
  return {
    result,
    bounds,
    controller,
    tries: () => tries,
    /** Lets time pass, and what waits for it happen. */
    async pass(ms: number) {
      for (let i = 0; i < 10; i++) await Promise.resolve();
      mock.timers.tick(ms);
      for (let i = 0; i < 10; i++) await Promise.resolve();
    },
  };
}

test("a failure that may pass is tried three times, with longer waits", async (t) => {
  const failing = startFailing(t, Array(5).fill({ status: 503 }));
  await failing.pass(499);
  assert.equal(failing.tries(), 1);
  await failing.pass(251);
  assert.equal(failing.tries(), 2);
  await failing.pass(999);
  assert.equal(failing.tries(), 2);
  await failing.pass(501);
  await assert.rejects(failing.result, { code: 503 });
  assert.equal(failing.tries(), 3);
});

for (
  const failure of [
    ...[408, 429, 500, 502, 503, 504].map((status) => ({ status })),
    { code: "ECONNRESET" },
    { code: "ECONNREFUSED" },
  ]
) {
  test(`${JSON.stringify(failure)} once is no failure`, async (t) => {
    const failing = startFailing(t, [failure]);
    await failing.pass(750);
    assert.equal(await failing.result, "done");
    assert.equal((failing.bounds.failure as Error).message, "failed");
  });
}

for (
  const failure of [
    ...[400, 401, 403, 404, 409, 412, 501, 505].map((status) => ({ status })),
    { code: "ENOENT" },
    {},
  ]
) {
  test(`${JSON.stringify(failure)} is not tried again`, async (t) => {
    const failing = startFailing(t, [failure]);
    await assert.rejects(failing.result, /failed/);
    assert.equal(failing.tries(), 1);
  });
}

test("what the server asks to wait is waited for, but never less than else", async (t) => {
  const failing = startFailing(t, [
    { status: 503, retryAfter: "8" },
    { status: 503, retryAfter: "0" },
  ]);
  await failing.pass(7_999);
  assert.equal(failing.tries(), 1);
  await failing.pass(1);
  assert.equal(failing.tries(), 2);
  await failing.pass(999);
  assert.equal(failing.tries(), 2);
  await failing.pass(501);
  assert.equal(await failing.result, "done");
});

test("a wait that goes past the end of the request is left to the caller", async (t) => {
  const failing = startFailing(t, [{ status: 503, retryAfter: "61" }]);
  await assert.rejects(failing.result, { code: 503 });
  const brief = startFailingAgain(t, [{ status: 503 }], 400);
  await assert.rejects(brief.result, { code: 503 });
  assert.equal(brief.tries(), 1);
});

function startFailingAgain(...args: Parameters<typeof startFailing>) {
  mock.timers.reset();
  return startFailing(...args);
}

test("an abort ends the wait between two tries, and is not followed by one", async (t) => {
  const failing = startFailing(t, [{ status: 503 }]);
  await failing.pass(1);
  const stop = new Error("enough");
  failing.controller.abort(stop);
  await assert.rejects(failing.result, (error) => error === stop);
  await failing.pass(10_000);
  assert.equal(failing.tries(), 1);
});
