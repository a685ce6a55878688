// jsonPages: each page a conditional request, and what is remembered for that.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonPage } from "@koprs/external/collection";
import { updatedBy } from "../../_http/page_memory.ts";
import { send, serve, type Step } from "./_http_server.ts";
import { failure, ids, itemsOf, servePages, told } from "./_json_pages.ts";

const timeout = 10_000;

test("pages that have not changed are answered with 304, and are read all the same", {
  timeout,
}, async (t) => {
  const api = await servePages(t, [ids(1), ids(2), ids(3)]);
  const poller = itemsOf(api);
  assert.equal(await told(poller), "added 1, added 2, added 3");
  assert.equal(api.asked(), "1 2 3");
  assert.equal(await told(poller), "");
  assert.equal(await told(poller), "");
  assert.equal(api.asked(), "1= 2= 3= 1= 2= 3=");
  api.pages[1] = ids(2, 5);
  assert.equal(await told(poller), "added 5");
  assert.equal(api.asked(), "1= 2 3=");
  assert.equal(await told(poller), "");
  assert.equal(api.asked(), "1= 2= 3=");
});

test("the `Link` of a 304 counts: pages that come and go behind one that stays", {
  timeout,
}, async (t) => {
  const api = await servePages(t, [ids(1), ids(2)]);
  const cursors = ["a", "b"];
  // Cursors that are renewed with each answer.
  api.intercept = (_, request, response) => {
    const cursor = new URL(request.url ?? "", "http://x").searchParams.get("cursor");
    const nth = cursor === null ? 0 : cursors.indexOf(cursor) + 1;
    if (cursor !== null && nth === 0) return !!response.writeHead(410).end();
    const items = api.pages[nth];
    if (items === undefined) return !!response.writeHead(404).end();
    const known = request.headers["if-none-match"] === `"${nth}"`;
    response.setHeader("etag", `"${nth}"`);
    if (nth + 1 < api.pages.length) {
      response.setHeader("link", `</items?cursor=${cursors[nth]}>; rel=next`);
    }
    response.writeHead(known ? 304 : 200).end(known ? undefined : JSON.stringify(items));
    return true;
  };
  const poller = itemsOf(api);
  assert.equal(await told(poller), "added 1, added 2");
  cursors[0] = "renewed";
  assert.equal(await told(poller), "", "the old cursor is gone");
  api.pages.push(ids(3));
  assert.equal(await told(poller), "added 3", "behind the last page, whose items are the same");
  cursors.reverse();
  assert.equal(await told(poller), "");
});

test("what `next` is given of a 304: the fields known, with those of the 304 in their place", {
  timeout,
}, async (t) => {
  const first = {
    etag: 'W/"1"',
    "content-type": "application/json",
    "content-language": "en",
    "x-next": "/old",
    "x-once": "kept",
    "set-cookie": "a=1",
  };
  const then = {
    etag: '"1"',
    "x-next": "/new",
    "x-more": "added",
    "content-type": "text/html",
    connection: "X-Hop",
    "x-hop": "by",
  };
  const steps: Step[] = [{ body: "[]", headers: first }, { status: 304, headers: then }, {
    status: 304,
  }];
  const server = await serve(t, (_, response, nth) => send(response, steps[nth - 1]!));
  const pages: Headers[] = [];
  const poller = itemsOf(server, {
    next({ headers }: JsonPage) {
      pages.push(headers);
      return undefined;
    },
  });
  for (const _step of steps) await told(poller);
  const [, second, third] = pages;
  for (const [nth, headers] of [second!, third!].entries()) {
    assert.equal(headers.get("x-once"), "kept", String(nth));
    assert.equal(headers.get("x-more"), "added");
    assert.equal(headers.get("content-language"), "en");
    assert.equal(headers.get("content-type"), "application/json", "it describes the body");
    assert.equal(headers.get("x-hop"), null, "it is of the connection");
    assert.deepEqual(headers.getSetCookie(), ["a=1"]);
  }
  assert.equal(server.last.headers["if-none-match"], '"1"', "the ETag of the 304 is the one known");
});

test("what describes the message or the body is not taken from a 304", () => {
  const known = [["content-length", "7"], ["content-encoding", "br"], ["x", "old"]] as const;
  const fields = updatedBy(
    new Headers([
      ["Content-Length", "0"],
      ["Content-Encoding", "identity"],
      ["Content-Range", "bytes 0-0/1"],
      ["Transfer-Encoding", "chunked"],
      ["Connection", "close, Y-Hop"],
      ["Y-Hop", "1"],
      ["X", "new"],
      ["Set-Cookie", "a=1"],
      ["Set-Cookie", "b=2"],
    ]),
    known,
  );
  // In the order of names: runtimes differ.
  assert.deepEqual([...fields].sort(), [
    ["content-encoding", "br"],
    ["content-length", "7"],
    ["set-cookie", "a=1"],
    ["set-cookie", "b=2"],
    ["x", "new"],
  ]);
});

test("headers that `next` changed are not remembered so", { timeout }, async (t) => {
  const server = await serve(t, ({ headers }, response) =>
    send(
      response,
      headers["if-none-match"] === '"1"'
        ? { status: 304 }
        : { body: "[]", headers: { etag: '"1"', "x-next": "of the server" } },
    ));
  const seen: (string | null)[] = [];
  const poller = itemsOf(server, {
    next({ headers }) {
      seen.push(headers.get("x-next"));
      headers.set("x-next", "of the caller");
      return undefined;
    },
  });
  for (let nth = 0; nth < 3; nth++) await told(poller);
  assert.deepEqual(seen, ["of the server", "of the server", "of the server"]);
});

test("a page without a validator is asked for as at first", { timeout }, async (t) => {
  const api = await servePages(t, [ids(1), ids(2)]);
  api.validator = "none";
  const poller = itemsOf(api);
  assert.equal(await told(poller), "added 1, added 2");
  assert.equal(await told(poller), "");
  assert.equal(api.asked(), "1 2 1 2");
  assert(api.requests.every(({ headers }) => headers["if-none-match"] === undefined));
});

test("a page that was modified this very second is not trusted, once", { timeout }, async (t) => {
  const at = (second: number) => new Date(Date.UTC(2024, 0, 1, 0, 0, second)).toUTCString();
  let now = 1;
  const server = await serve(t, (request, response) => {
    const known = request.headers["if-modified-since"] === at(1);
    send(response, {
      status: known ? 304 : 200,
      body: known ? "" : JSON.stringify(ids(now)),
      headers: { date: at(now), "last-modified": at(1) },
    });
    now++;
  });
  const poller = itemsOf(server);
  assert.equal(await told(poller), "added 1");
  assert.equal(await told(poller), "removed 1, added 2");
  assert.equal(await told(poller), "");
  assert.deepEqual(
    server.requests.map(({ headers }) => headers["if-modified-since"]),
    [undefined, undefined, at(1)],
  );
});

test("a 304 that nobody asked for fails the walk", { timeout }, async (t) => {
  const api = await servePages(t, [ids(1), ids(2)]);
  const poller = itemsOf(api);
  await told(poller);
  api.pages.push(ids(3));
  api.intercept = (page, _, response) => page === 3 && !!response.writeHead(304).end();
  const error = await failure(poller);
  assert.equal(error.code, "protocol");
  assert.match(error.message, /304 to a request without conditions \(page 3\)$/);
});

test("a 304 with another strong ETag leads to an unconditional request", { timeout }, async (t) => {
  const steps: Step[] = [
    { body: JSON.stringify(ids(1)), headers: { etag: '"1"' } },
    { status: 304, headers: { etag: '"2"' } },
    { body: JSON.stringify(ids(2)), headers: { etag: '"2"' } },
    { status: 304, headers: { etag: 'W/"2"' } },
  ];
  const server = await serve(t, (_, response, nth) => send(response, steps[nth - 1]!));
  const poller = itemsOf(server);
  assert.equal(await told(poller), "added 1");
  assert.equal(await told(poller), "removed 1, added 2");
  assert.equal(await told(poller), "");
  assert.deepEqual(
    server.requests.map(({ headers }) => headers["if-none-match"]),
    [undefined, '"1"', undefined, '"2"'],
  );
});

test("validators are sent to the URL that gave them, and to no other", { timeout }, async (t) => {
  let target = "/a";
  const server = await serve(t, ({ url }, response) => {
    if (url === "/items") return send(response, { status: 302, headers: { location: target } });
    send(response, { body: JSON.stringify(ids(url ?? "")), headers: { etag: '"same"' } });
  });
  const poller = itemsOf(server);
  assert.equal(await told(poller), "added /a");
  target = "/b";
  assert.equal(await told(poller), "removed /a, added /b");
  assert.equal(await told(poller), "");
  assert.deepEqual(
    server.requests.map(({ url, headers }) => `${url} ${headers["if-none-match"] ?? "-"}`),
    ["/items -", "/a -", "/items -", "/b -", "/items -", '/b "same"'],
  );
});

for (const status of [400, 403, 412, 416, 500, 503]) {
  test(`a server that answers ${status} to a condition: the next walk goes without`, {
    timeout,
  }, async (t) => {
    const api = await servePages(t, [ids(1), ids(2), ids(3)]);
    const poller = itemsOf(api);
    await told(poller);
    api.intercept = (_, { headers }, response) =>
      headers["if-none-match"] !== undefined && !!response.writeHead(status).end();
    assert.equal((await failure(poller)).status, status);
    api.pages[2] = ids(4);
    assert.equal(await told(poller), "removed 3, added 4");
    assert.equal(api.requests.length, 3 + 1 + 3, "no request is made twice in one walk");
  });
}

test("a condition that fails on the last page alone does not keep the walk from its end", {
  timeout,
}, async (t) => {
  const api = await servePages(t, [ids(1), ids(2), ids(3)]);
  const poller = itemsOf(api);
  await told(poller);
  api.intercept = (page, { headers }, response) =>
    page === 3 && headers["if-none-match"] !== undefined && !!response.writeHead(500).end();
  const outcomes = [];
  for (let nth = 0; nth < 8; nth++) outcomes.push(await told(poller).catch(() => "!"));
  assert.equal(outcomes.map((told) => told || ".").join(""), "!.!..!..");
});
