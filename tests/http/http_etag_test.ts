// HttpPoller: which ETags and which 304 can be believed (H4).
import assert from "node:assert/strict";
import { test } from "node:test";
import { failure, pollerOf, send, serve, serveRaw, type Step, told } from "./_http_server.ts";

const timeout = 10_000;

test("H4: a malformed, empty or doubled ETag is not sent back", { timeout }, async (t) => {
  const lines = [
    "ETag: bare",
    'ETag: ""',
    'ETag: W/""',
    "ETag:",
    'ETag: w/"small"',
    'ETag: "open',
    'ETag: "in"side"',
    'ETag: "with blank"',
    "ETag: 'single'",
    'ETag: "1"\r\nETag: "2"',
    'ETag: "1"\r\nETag: "1"',
    'ETag: "1", "2"',
    "ETag: *",
    'ETag: "1";q=1',
  ];
  for (const line of lines) {
    const server = await serveRaw(t, (socket, nth) => {
      socket.write(`HTTP/1.1 200 OK\r\n${line}\r\nContent-Length: 1\r\n\r\n${nth < 3 ? "x" : "y"}`);
    });
    const poller = pollerOf(server);
    assert.equal(await told(poller), "added x", line);
    assert.equal(await told(poller), "", line);
    assert.equal(await told(poller), "modified y", line);
    assert(!server.heads.some((head) => /^if-none-match/mi.test(head)), line);
  }
});

test("H4: a 304 nobody asked for is an error, and the state stays", { timeout }, async (t) => {
  const steps: Step[] = [
    { status: 304 },
    { body: "x" },
    { status: 304, headers: { etag: '"1"' } },
    { body: "x" },
  ];
  const server = await serve(t, (_, response, nth) => send(response, steps[nth - 1]!));
  const poller = pollerOf(server);
  for (const expected of ["added x", ""]) {
    const error = await failure(poller);
    assert.equal(error.code, "protocol");
    assert.equal(error.status, 304);
    assert.equal(await told(poller), expected);
  }
});

test(
  "H4: a 304 with another strong ETag leads to an unconditional request",
  { timeout },
  async (t) => {
    const steps: Step[] = [
      { body: "one", headers: { etag: '"1"' } },
      { status: 304, headers: { etag: '"2"' } },
      { body: "two", headers: { etag: '"2"' } },
      { status: 304, headers: { etag: '"2"' } },
      { status: 304, headers: { etag: 'W/"3"' } },
      { status: 304 },
      { status: 304, headers: { etag: '"3"' } },
      { status: 304, headers: { etag: '"3"' } },
      { status: 304, headers: { etag: '"3"' } },
      { status: 404 },
    ];
    const server = await serve(t, (_, response, nth) => send(response, steps[nth - 1]!));
    const poller = pollerOf(server);
    const tags = () => server.requests.map(({ headers }) => headers["if-none-match"] ?? "");
    assert.equal(await told(poller), "added one");
    assert.equal(await told(poller), "modified two");
    assert.deepEqual(tags(), ["", '"1"', ""]);
    assert.equal(await told(poller), "", "the same ETag is to be believed");
    assert.equal(await told(poller), "", "a weak one is no proof of anything");
    assert.equal(await told(poller), "", "and none neither");
    assert.equal(server.requests.length, 6);
    const error = await failure(poller);
    assert.equal(error.code, "protocol", "304 to the unconditional request too");
    assert.equal(await told(poller), "removed", "the answer to the second request counts");
    assert.equal(server.requests.length, steps.length);
  },
);

test("H4: a weak ETag and its strong form are one version, as compressing servers have it", {
  timeout,
}, async (t) => {
  const server = await serve(
    t,
    (request, response) =>
      request.headers["if-none-match"] === 'W/"1"'
        ? send(response, { status: 304, headers: { etag: '"1"' } })
        : send(response, { body: "x", headers: { etag: 'W/"1"' } }),
  );
  const poller = pollerOf(server);
  assert.equal(await told(poller), "added x");
  assert.equal(await told(poller), "");
  assert.equal(server.requests.length, 2);
});

test("H4: a 304 without the suffix -gzip costs a request, not an event", { timeout }, async (t) => {
  const server = await serve(
    t,
    (request, response) =>
      request.headers["if-none-match"] === '"1-gzip"'
        ? send(response, { status: 304, headers: { etag: '"1"' } })
        : send(response, { body: "x", headers: { etag: '"1-gzip"' } }),
  );
  const poller = pollerOf(server);
  assert.equal(await told(poller), "added x");
  assert.equal(await told(poller), "");
  assert.equal(server.requests.length, 3);
});

test("H4: the unconditional request that follows must answer with content, as any", {
  timeout,
}, async (t) => {
  let status = 500;
  const server = await serve(t, ({ headers }, response, nth) => {
    if (nth === 1) return send(response, { body: "one", headers: { etag: '"1"' } });
    if (headers["if-none-match"]) return send(response, { status: 304, headers: { etag: '"2"' } });
    send(response, { status, body: "two" });
  });
  const poller = pollerOf(server);
  assert.equal(await told(poller), "added one");
  for (status of [500, 206, 403]) {
    const error = await failure(poller);
    assert.equal(error.status, status);
  }
  status = 200;
  assert.equal(await told(poller), "modified two");
});
