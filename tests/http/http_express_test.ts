// HttpPoller on Express 5: weak ETags made from the content, and a 304 that a Cache-Control can prevent.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import express from "express";
import { CollectionPoller, jsonPages } from "@koprs/external";
import { poll, pollerOf, type Scope, told } from "./_http_server.ts";

const timeout = 10_000;

// What of Express is used here: its own types are another package.
interface Request {
  readonly query: Readonly<Record<string, unknown>>;
  get(name: string): string | undefined;
}
interface Response {
  links(links: Record<string, string>): void;
  json(value: unknown): void;
  send(text: string): void;
  sendStatus(status: number): void;
  redirect(status: number, url: string): void;
}
interface App {
  (request: IncomingMessage, response: ServerResponse): void;
  get(path: string, handler: (request: Request, response: Response) => void): void;
  set(setting: string, value: unknown): void;
  use(middleware: unknown): void;
}

async function listen(scope: Scope, app: App): Promise<{ origin: string; statuses: number[] }> {
  const statuses: number[] = [];
  const server = createServer((request, response) => {
    response.on("finish", () => statuses.push(response.statusCode));
    app(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  scope.after(() =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    })
  );
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, statuses };
}

test(
  "Express: JSON with a weak ETag, 304 while it stays, changes, removal",
  { timeout },
  async (t) => {
    const app: App = express();
    let state: unknown = { a: 1 };
    app.get("/config", (_, response) => {
      if (state === undefined) response.sendStatus(404);
      else response.json(state);
    });
    const { origin, statuses } = await listen(t, app);
    const poller = pollerOf({ origin }, {}, "/config");

    const [added] = await poll(poller);
    assert.equal(added?.type, "added");
    assert.deepEqual(added.item.json(), { a: 1 });
    assert.match(added.item.etag ?? "", /^W\/"/);
    assert.match(added.item.contentType ?? "", /^application\/json/);
    assert.equal(await told(poller), "");
    assert.equal(await told(poller), "");
    state = { a: 2 };
    assert.equal(await told(poller), 'modified {"a":2}');
    assert.equal(await told(poller), "");
    state = undefined;
    assert.equal(await told(poller), "removed");
    assert.equal(await told(poller), "");
    state = { a: 2 };
    assert.equal(await told(poller), 'added {"a":2}');
    assert.deepEqual(statuses, [200, 304, 304, 200, 304, 404, 404, 200]);
  },
);

test("Express: a static file, its Last-Modified and ETag, 304", { timeout }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "koprs-express-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "a.txt");
  const app: App = express();
  app.use(express.static(folder));
  const { origin, statuses } = await listen(t, app);
  const poller = pollerOf({ origin }, {}, "/a.txt");
  assert.equal(await told(poller), "");
  writeFileSync(file, "one");
  utimesSync(file, 1_000_000_000, 1_000_000_000);
  const [added] = await poll(poller);
  assert.equal(added?.item.lastModified, "Sun, 09 Sep 2001 01:46:40 GMT");
  assert.equal(await told(poller), "");
  writeFileSync(file, "two");
  utimesSync(file, 1_000_000_001, 1_000_000_001);
  assert.equal(await told(poller), "modified two");
  assert.equal(await told(poller), "");
  rmSync(file);
  assert.equal(await told(poller), "removed");
  assert.deepEqual(statuses, [404, 200, 304, 200, 304, 404]);
});

test("Express: redirects, basic authentication and errors of its own", { timeout }, async (t) => {
  const app: App = express();
  app.get("/old", (_, response) => response.redirect(301, "/new"));
  app.get("/new", (request, response) => {
    if (request.get("authorization") !== "Bearer good") response.sendStatus(401);
    else response.send("found");
  });
  app.get("/broken", () => {
    throw Object.assign(new Error("broken"), { status: 503 });
  });
  app.set("env", "test"); // Its error pages, without a stack on the console.
  const { origin } = await listen(t, app);
  const tokens = ["bad", "good", "good"];
  const poller = pollerOf({ origin }, { bearerToken: () => tokens.shift() ?? "good" }, "/old");
  assert.equal(await told(poller), "added found");
  assert.equal(await told(poller), "");
  await assert.rejects(poll(pollerOf({ origin }, {}, "/broken")), { code: "status", status: 503 });
});

test("Express: a 304 with a new Link, as its ETag is made from the body alone", {
  timeout,
}, async (t) => {
  const app: App = express();
  const pages = [[{ id: 1 }], [{ id: 2 }]];
  app.get("/items", (request, response) => {
    const page = Number(request.query["page"] ?? 1);
    if (page < pages.length) response.links({ prev: "/", next: `/items?page=${page + 1}` });
    response.json(pages[page - 1]);
  });
  const { origin, statuses } = await listen(t, app);
  const poller = new CollectionPoller<{ id: number }>({
    name: "items",
    list: jsonPages(`${origin}/items`),
    key: ({ id }) => String(id),
  });
  const told = async () =>
    [...await poller.poll({ signal: new AbortController().signal })]
      .map(({ type, item }) => `${type} ${item.id}`);
  assert.deepEqual(await told(), ["added 1", "added 2"]);
  assert.deepEqual(await told(), []);
  pages.push([{ id: 3 }]);
  assert.deepEqual(await told(), ["added 3"]);
  pages[1] = [{ id: 4 }];
  assert.deepEqual(await told(), ["removed 2", "added 4"]);
  assert.deepEqual(statuses, [200, 200, 304, 304, 304, 304, 200, 304, 200, 304]);
});
