// HttpPoller: servers that fail as soon as a request carries a condition.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { HttpPoller } from "@koprs/external";
import { failure, poll, pollerOf, send, serve, serveRaw, type Step, told } from "./_http_server.ts";

const timeout = 10_000;
const validators = { etag: '"1"', "last-modified": "Sun, 06 Nov 1994 08:49:37 GMT" };
const content: Step = { body: "x", headers: validators };

/** What a poll came to, in one word. */
async function outcome(poller: HttpPoller): Promise<string> {
  try {
    return (await told(poller)) || "same";
  } catch {
    return "failed";
  }
}

const isConditional = (headers: Readonly<Record<string, unknown>>) =>
  headers["if-none-match"] !== undefined || headers["if-modified-since"] !== undefined;

for (const status of [400, 403, 412, 416, 500, 501, 503, 206]) {
  test(`a ${status} to a condition: the next poll goes without`, { timeout }, async (t) => {
    const server = await serve(
      t,
      ({ headers }, response) => send(response, isConditional(headers) ? { status } : content),
    );
    const poller = pollerOf(server);
    const outcomes = [];
    for (let nth = 0; nth < 3; nth++) outcomes.push(await outcome(poller));
    assert.deepEqual(outcomes, ["added x", "failed", "same"]);
    assert.equal(server.requests.length, 3, "one request a poll");

    // Also behind a restart.
    const restored = pollerOf(server);
    restored.restore(poller.save());
    assert.deepEqual([await outcome(restored), await outcome(restored)], ["failed", "same"]);
    assert.equal(server.requests.length, 5);
  });
}

test("a connection that is cut for a condition, too", { timeout }, async (t) => {
  const server = await serveRaw(t, (socket, _, head) => {
    if (/^if-none-match/mi.test(head)) return socket.destroy();
    socket.write('HTTP/1.1 200 OK\r\nETag: "1"\r\nContent-Length: 1\r\n\r\nx');
  });
  const poller = pollerOf(server);
  await poll(poller);
  assert.equal((await failure(poller)).code, "network");
  assert.equal(await told(poller), "");
});

test("an answer to a condition that hangs, too", { timeout }, async (t) => {
  const server = await serve(t, ({ headers }, response) => {
    if (!isConditional(headers)) send(response, content);
  });
  const poller = pollerOf(server, { timeout: 100 });
  await poll(poller);
  assert.equal((await failure(poller)).code, "timeout");
  assert.equal(await told(poller), "");
});

test("an answer to a condition that nobody waits for any more, too", { timeout }, async (t) => {
  const server = await serve(t, ({ headers }, response) => {
    if (isConditional(headers)) aborter.abort("enough");
    else send(response, content);
  });
  const aborter = new AbortController();
  const poller = pollerOf(server);
  await poll(poller);
  await assert.rejects(poll(poller, aborter.signal), (reason) => reason === "enough");
  assert.equal(await told(poller), "");
  assert.equal(isConditional(server.last.headers), false);
});

test("polls that fail for conditions become rare, and one that passes starts anew", {
  timeout,
}, async (t) => {
  let bears = false;
  const server = await serve(t, ({ headers }, response) => {
    if (!isConditional(headers)) return send(response, content);
    send(response, { status: bears ? 304 : 500 });
  });
  const poller = pollerOf(server);
  assert.equal(await outcome(poller), "added x");
  const run = async (polls: number) => {
    const outcomes = [];
    for (let nth = 0; nth < polls; nth++) outcomes.push(await outcome(poller));
    return outcomes.map((outcome) => outcome === "failed" ? "!" : ".").join("");
  };
  assert.equal(await run(16), "!.!..!....!.....");
  bears = true;
  assert.equal(await run(3), "...");
  assert.equal(isConditional(server.last.headers), false, "the pause of eight");
  assert.equal(await run(1), ".");
  assert.equal(isConditional(server.last.headers), true);
  bears = false;
  assert.equal(await run(5), "!.!..", "from the beginning");
});

test("a server that is down is asked with conditions as before, as soon as it fails without them", {
  timeout,
}, async (t) => {
  let down = false;
  const server = await serve(t, ({ headers }, response) => {
    if (down) return send(response, { status: 503 });
    send(response, isConditional(headers) ? { status: 304 } : content);
  });
  const poller = pollerOf(server);
  await poll(poller);
  down = true;
  for (let nth = 0; nth < 4; nth++) assert.equal(await outcome(poller), "failed");
  assert.deepEqual(
    server.requests.map(({ headers }) => isConditional(headers)),
    [false, true, false, true, false],
  );
  down = false;
  assert.equal(await outcome(poller), "same");
  assert.equal(isConditional(server.last.headers), true);
});

const refusals: [string, Step][] = [
  ["who may ask", { status: 401 }],
  ["how often", { status: 429 }],
  ["how often, as GitHub says it", { status: 403, headers: { "retry-after": "1" } }],
];
for (const [what, refusal] of refusals) {
  test(`an answer that says ${what} is not the conditions' fault`, { timeout }, async (t) => {
    const server = await serve(
      t,
      (_, response, nth) => send(response, nth === 1 ? content : refusal),
    );
    const poller = pollerOf(server);
    await poll(poller);
    for (let nth = 0; nth < 3; nth++) {
      assert.equal(await outcome(poller), "failed");
      assert.equal(isConditional(server.last.headers), true);
    }
  });
}

test("content that `validate` rejects is not the conditions' fault", { timeout }, async (t) => {
  const server = await serve(
    t,
    (_, response, nth) => send(response, { body: String(nth), headers: { etag: `"${nth}"` } }),
  );
  const poller = pollerOf(server, {
    validate: (resource) => {
      if (resource.text() !== "1") throw new Error("no");
    },
  });
  await poll(poller);
  for (let nth = 0; nth < 3; nth++) {
    assert.equal(await outcome(poller), "failed");
    assert.equal(server.last.headers["if-none-match"], '"1"');
  }
});
