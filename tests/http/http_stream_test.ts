// B1, W6: a body that is handed over as a stream is bounded in time, read by read, and leaves nothing behind.
import assert from "node:assert/strict";
import { test } from "node:test";
import { countedSignal } from "../bounds/_listeners.ts";
import { clientOf, errorOf, exchange, stream } from "./_client.ts";
import { answer, serve, serveRaw } from "./_http_server.ts";

const timeout = 10_000;
const HEAD = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n";

test(
  "a body may take longer than the timeout, if each part of it does not",
  { timeout },
  async (t) => {
    const server = await serveRaw(t, (socket) => {
      let sent = 0;
      socket.write(HEAD);
      const id = setInterval(
        () => sent++ < 10 ? socket.write("0123456789") : clearInterval(id),
        40,
      );
      socket.on("close", () => clearInterval(id));
    });
    const body = await stream(clientOf(server, { timeout: 500 }));
    assert.equal((await new Response(body).text()).length, 100);
  },
);

test("a reader may take longer than the timeout before each read", { timeout }, async (t) => {
  const server = await serve(t, (_, response) => response.end("x".repeat(300_000)));
  const reader = (await stream(clientOf(server, { timeout: 500 }))).getReader();
  let size = 0;
  for (let nth = 0;; nth++) {
    if (nth < 2) await new Promise((resolve) => setTimeout(resolve, 700));
    const { done, value } = await reader.read();
    if (done) break;
    size += value.length;
  }
  assert.equal(size, 300_000);
});

test("a body that stalls is a timeout, and its connection is closed", { timeout }, async (t) => {
  const server = await serveRaw(t, (socket) => socket.write(`${HEAD}some`));
  const body = await stream(clientOf(server, { timeout: 400 }));
  const error = await errorOf(new Response(body).text());
  assert.equal(error.code, "timeout");
  assert.match(error.message, /nothing more of the body within 400 ms; see 'timeout'$/);
  await server.connections[0]!.closed;
});

test("a body that never begins is a timeout", { timeout }, async (t) => {
  const server = await serveRaw(t, (socket) => socket.write(HEAD));
  const error = await errorOf(
    stream(clientOf(server, { timeout: 400 })).then((body) => new Response(body).text()),
  );
  assert.equal(error.code, "timeout");
});

test("a body that breaks off is a network error", { timeout }, async (t) => {
  const server = await serveRaw(
    t,
    (socket) => socket.write(`${HEAD}some`, () => socket.resetAndDestroy()),
  );
  const error = await errorOf(stream(clientOf(server)).then((body) => new Response(body).text()));
  assert.equal(error.code, "network");
});

test("an abort ends a read with its reason, and reaches the server", { timeout }, async (t) => {
  const server = await serveRaw(t, (socket) => socket.write(`${HEAD}some`));
  const { signal, abort } = countedSignal();
  const reader = (await stream(clientOf(server), { signal })).getReader();
  await reader.read();
  const pending = reader.read();
  const reason = new Error("enough");
  abort(reason);
  await assert.rejects(pending, (error) => error === reason);
  await server.connections[0]!.closed;
});

test("cancelling reaches the server", { timeout }, async (t) => {
  const server = await serveRaw(t, (socket) => socket.write(`${HEAD}some`));
  await (await stream(clientOf(server))).cancel();
  await server.connections[0]!.closed;
});

test(
  "an answer that is not wanted is an error, and its connection is closed",
  { timeout },
  async (t) => {
    const server = await serveRaw(t, (socket) => {
      socket.write("HTTP/1.1 503 Busy\r\nContent-Length: 100\r\nRetry-After: 7\r\n\r\nsome");
    });
    const { signal, listeners } = countedSignal();
    const error = await errorOf(stream(clientOf(server), { signal }));
    assert.equal(error.status, 503);
    assert.equal(error.retryAfter, 7_000);
    await server.connections[0]!.closed;
    assert.equal(listeners(), 0);
  },
);

test("an answer without a body is an empty stream", { timeout }, async (t) => {
  const server = await serve(t, (_, response) => response.writeHead(204).end());
  const body = await stream(clientOf(server), { wants: (status) => status === 204 });
  assert.equal(await new Response(body).text(), "");
});

/** What can become of a request: it is made by `act`, answered by `reply`. */
const fates: [
  string,
  string,
  (client: ReturnType<typeof clientOf>, signal: AbortSignal) => Promise<unknown>,
][] = [
  ["a stream that was read", answer(200, {}, "good"), async (client, signal) => {
    await new Response(await stream(client, { signal })).text();
  }],
  ["a stream that was cancelled", `${HEAD}some`, async (client, signal) => {
    await (await stream(client, { signal })).cancel();
  }],
  ["a stream that was cancelled during a read", `${HEAD}some`, async (client, signal) => {
    const reader = (await stream(client, { signal })).getReader();
    await reader.read();
    const pending = reader.read();
    await reader.cancel();
    await pending;
  }],
  ["a stream that stalled", `${HEAD}some`, async (client, signal) => {
    await errorOf(new Response(await stream(client, { signal })).text());
  }],
  [
    "a stream of a status that is not wanted",
    answer(500, {}, "bad"),
    (client, signal) => errorOf(stream(client, { signal })),
  ],
  ["an exchange", answer(200, {}, "good"), (client, signal) => exchange(client, { signal })],
  [
    "an exchange without a body",
    answer(500, {}, "bad"),
    (client, signal) => exchange(client, { signal }),
  ],
  ["an exchange that timed out", HEAD, (client, signal) => errorOf(exchange(client, { signal }))],
  [
    "an exchange that was refused",
    answer(302, { Location: "ftp://h/" }),
    (client, signal) => errorOf(exchange(client, { signal })),
  ],
];
for (const [what, reply, act] of fates) {
  test(`no listener and no timer is left of ${what}`, { timeout }, async (t) => {
    const server = await serveRaw(t, (socket) => socket.write(reply));
    const { signal, listeners } = countedSignal();
    const timers = countTimers(t);
    await act(clientOf(server, { timeout: 300 }), signal);
    assert.equal(listeners(), 0);
    assert.equal(timers(), 0);
  });
}

/** How many timers of 300 ms are armed. */
function countTimers(t: { after(callback: () => void): void }): () => number {
  const { setTimeout, clearTimeout } = globalThis;
  const armed = new Set<unknown>();
  const set = (callback: () => void, ms?: number) => {
    const id = setTimeout(() => {
      armed.delete(id);
      callback();
    }, ms);
    if (ms === 300) armed.add(id);
    return id;
  };
  globalThis.setTimeout = set as typeof setTimeout;
  globalThis.clearTimeout = ((id: Parameters<typeof clearTimeout>[0]) => {
    armed.delete(id);
    clearTimeout(id);
  }) as typeof clearTimeout;
  t.after(() => Object.assign(globalThis, { setTimeout, clearTimeout }));
  return () => armed.size;
}
