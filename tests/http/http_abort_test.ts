// HttpPoller: aborts reach the server, and leave no listener behind.
import assert from "node:assert/strict";
import { test } from "node:test";
import { countListeners } from "../bounds/_listeners.ts";
import { poll, pollerOf, send, serve, serveRaw } from "./_http_server.ts";

const timeout = 10_000;

test("an aborted signal makes no request; an abort reaches the server", { timeout }, async (t) => {
  const reason = { why: "any value, untouched" };
  const server = await serveRaw(t, () => aborter.abort(reason));
  const poller = pollerOf(server);
  await assert.rejects(poll(poller, AbortSignal.abort(reason)), (error) => error === reason);
  assert.equal(server.connections.length, 0);

  const aborter = new AbortController();
  await assert.rejects(poll(poller, aborter.signal), (error) => error === reason);
  await server.connections[0]!.closed;
});

test("an abort in the middle of a body reaches the server", { timeout }, async (t) => {
  const reason = new Error("enough");
  const aborter = new AbortController();
  const server = await serveRaw(t, (socket) => {
    socket.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome");
  });
  const poller = pollerOf(server, {
    fetch: async (...request) => {
      const response = await fetch(...request);
      queueMicrotask(() => aborter.abort(reason));
      return response;
    },
  });
  await assert.rejects(poll(poller, aborter.signal), (error) => error === reason);
  await server.connections[0]!.closed;
});

test(
  "the caller's signal has no listener left after a poll, good or bad",
  { timeout },
  async (t) => {
    const server = await serve(
      t,
      (_, response, nth) => send(response, { status: nth % 2 ? 200 : 500, body: "x" }),
    );
    const poller = pollerOf(server);
    const { signal } = new AbortController();
    const listeners = countListeners(signal);
    for (let nth = 0; nth < 10; nth++) await poll(poller, signal).catch(() => {});
    assert.equal(listeners(), 0);
  },
);
