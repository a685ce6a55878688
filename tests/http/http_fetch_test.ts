// HttpPoller: the option `fetch`, and functions that misbehave.
import assert from "node:assert/strict";
import process from "node:process";
import { test } from "node:test";
import { HttpPoller } from "@koprs/external";
import { failure, poll, pollerOf, send, serve } from "./_http_server.ts";

const timeout = 10_000;

test(
  "fetch: the caller's own is used, or else the global one of the moment",
  { timeout },
  async (t) => {
    const server = await serve(t, (_, response) => send(response, { body: "x" }));
    const urls: string[] = [];
    const own: typeof fetch = (input, init) => {
      urls.push(String(input));
      return real(input, init);
    };
    const real = globalThis.fetch;
    await poll(pollerOf(server, { fetch: own }, "/own"));
    const poller = pollerOf(server, {}, "/global");
    globalThis.fetch = own;
    try {
      await poll(poller);
    } finally {
      globalThis.fetch = real;
    }
    assert.deepEqual(urls, [`${server.origin}/own`, `${server.origin}/global`]);
  },
);

test("fetch: one that misbehaves fails the poll with a clear error", { timeout }, async () => {
  const cases: [string, unknown, RegExp][] = [
    ["throws", () => {
      throw new Error("sync");
    }, /sync$/],
    ["throws nothing", () => {
      throw undefined;
    }, /Cannot poll/],
    ["rejects with a string", () => Promise.reject("just text"), /just text$/],
    ["gives undefined", () => undefined, /'fetch' must give a Response$/],
    [
      "gives a promise of junk",
      () => Promise.resolve({ status: 200 }),
      /'fetch' must give a Response$/,
    ],
  ];
  for (const [what, own, message] of cases) {
    const error = await failure(
      new HttpPoller("http://localhost/", { fetch: own as typeof fetch }),
    );
    assert.match(error.message, message, what);
  }
});

test("fetch: one that does not heed the signal is not waited for, and its body is cancelled", {
  timeout,
}, async () => {
  let cancelled!: () => void;
  const cancel = new Promise<void>((resolve) => cancelled = resolve);
  let respond!: (response: Response) => void;
  const aborter = new AbortController();
  const poller = new HttpPoller("http://localhost/", {
    fetch: () => {
      queueMicrotask(() => aborter.abort(reason));
      return new Promise((resolve) => respond = resolve);
    },
  });
  const reason = new Error("enough");
  await assert.rejects(poll(poller, aborter.signal), (error) => error === reason);
  respond(new Response(new ReadableStream({ cancel: cancelled })));
  await cancel;
});

const lateAnswers: [string, () => unknown][] = [
  ["nothing", () => undefined],
  ["junk", () => ({ body: {} })],
  ["a rejection", () => Promise.reject(new Error("too late"))],
];
for (const [what, late] of lateAnswers) {
  test(`fetch: ${what} after an abort is nobody's error`, { timeout }, async () => {
    const reason = new Error("enough");
    const aborter = new AbortController();
    let respond!: (response: unknown) => void;
    const poller = new HttpPoller("http://localhost/", {
      fetch: () => {
        queueMicrotask(() => aborter.abort(reason));
        return new Promise<never>((resolve) => respond = resolve as typeof respond);
      },
    });
    await assert.rejects(poll(poller, aborter.signal), (error) => error === reason);
    const unhandled: unknown[] = [];
    const onUnhandled = (error: unknown) => unhandled.push(error);
    process.on("unhandledRejection", onUnhandled);
    try {
      respond(late());
      await new Promise((resolve) => setTimeout(resolve, 10));
    } finally {
      process.off("unhandledRejection", onUnhandled);
    }
    assert.deepEqual(unhandled, []);
  });
}

test("fetch: one that does not heed the signal is not waited for at the timeout either", {
  timeout,
}, async () => {
  let cancelled!: () => void;
  const cancel = new Promise<void>((resolve) => cancelled = resolve);
  let respond!: (response: Response) => void;
  const poller = new HttpPoller("http://localhost/", {
    timeout: 20,
    fetch: () => new Promise((resolve) => respond = resolve),
  });
  assert.equal((await failure(poller)).code, "timeout");
  respond(new Response(new ReadableStream({ cancel: cancelled })));
  await cancel;
});
