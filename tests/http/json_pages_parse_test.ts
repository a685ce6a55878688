// jsonPages: integers that JavaScript would round, and the option `parse`.
import assert from "node:assert/strict";
import { test } from "node:test";
import { jsonPages } from "@koprs/external/collection";
import type { HttpResource } from "@koprs/external/http";
import { z } from "zod";
import { errorOf } from "./_client.ts";
import { send, serve } from "./_http_server.ts";
import { failure, ids, itemsOf, servePages, told } from "./_json_pages.ts";

const timeout = 10_000;

/** Two ids that are one as JavaScript numbers. */
const twins = '[{"id":9007199254740993},{"id":9007199254740992}]';

test("two ids that would become one fail the walk, and the error names `parse`", {
  timeout,
}, async (t) => {
  const api = await servePages(t, [ids(1), ids(2)]);
  const poller = itemsOf(api);
  assert.equal(await told(poller), "added 1, added 2");
  api.intercept = (page, _, response) => page === 2 && !!response.end(twins);
  const error = await failure(poller);
  assert.equal(error.code, "invalid");
  assert.match(
    error.message,
    /the integer at byte 7 is too large .* 'parse' \(page 2\)$/,
  );
  assert(!error.message.includes("9007199254740993"), "it may be somebody's secret");
  api.intercept = () => false;
  assert.equal(await told(poller), "");
});

test("numbers that lose nothing are no error", { timeout }, async (t) => {
  const body = `[{"id":1.0},{"id":1e3},{"id":9007199254740992},{"id":0.12345678901234567890},
    {"id":"12345678901234567890"},{"id":1700000000000000}]`;
  const server = await serve(t, (_, response) => send(response, { body }));
  assert.equal((await told(itemsOf(server))).split(", ").length, 6);
});

test("`parse` takes over: big ids as strings", { timeout }, async (t) => {
  const server = await serve(t, (_, response) => send(response, { body: twins }));
  const parse = (resource: HttpResource) =>
    JSON.parse(resource.text().replace(/"id":\s*(\d+)/g, '"id":"$1"'));
  const poller = itemsOf(server, { parse });
  assert.equal(await told(poller), "added 9007199254740992, added 9007199254740993");
  // Whoever asks for plain JSON.parse gets it.
  assert.equal(
    await told(itemsOf(server, { parse: (resource) => resource.json() })),
    "added 9007199254740992",
  );
});

test(
  "`parse` sees the whole answer, and may be asynchronous and no JSON",
  { timeout },
  async (t) => {
    const time = "Sun, 06 Nov 1994 08:49:37 GMT";
    const server = await serve(
      t,
      (request, response) =>
        request.headers["if-none-match"] === '"1"'
          ? send(response, { status: 304 })
          : send(response, {
            status: 203,
            body: "1\n2\n",
            headers: { etag: '"1"', "last-modified": time, "content-type": "text/plain" },
          }),
    );
    const seen: HttpResource[] = [];
    const poller = itemsOf(server, {
      async parse(resource) {
        seen.push(resource);
        await Promise.resolve();
        return resource.text().trim().split("\n").map((id) => ({ id }));
      },
    });
    assert.equal(await told(poller), "added 1, added 2");
    seen[0]?.body.fill(0x39); // What is remembered is not what was handed out.
    assert.equal(await told(poller), "");
    for (const { url, status, etag, lastModified, contentType } of seen) {
      assert.deepEqual(
        { url, status, etag, lastModified, contentType },
        {
          url: `${server.origin}/items`,
          status: 203,
          etag: '"1"',
          lastModified: time,
          contentType: "text/plain",
        },
      );
    }
    assert.deepEqual(
      seen.map((resource) => resource.text()),
      ["9999", "1\n2\n"],
    );
  },
);

test("what `parse` throws or rejects with fails the walk", { timeout }, async (t) => {
  const server = await serve(t, (_, response) => send(response, { body: "[]" }));
  const thrown = new SyntaxError("not my format");
  for (
    const parse of [() => Promise.reject(thrown), () => {
      throw thrown;
    }]
  ) {
    const error = await failure(itemsOf(server, { parse }));
    assert.equal(error.code, "invalid");
    assert.match(error.message, /'parse' failed: not my format \(page 1\)$/);
    assert(error.cause instanceof Error);
    assert.equal(error.cause.message, "not my format");
  }
});

test("an item that `schema` or `parseItem` rejects fails the walk", { timeout }, async (t) => {
  const api = await servePages(t, [ids(1, 2), ids(3, "four")]);
  const walk = async (list: ReturnType<typeof jsonPages>) => {
    const items: unknown[] = [];
    const poll = { signal: new AbortController().signal };
    const error = await errorOf((async () => {
      for await (const page of list(poll)) items.push(...page);
    })());
    assert.deepEqual(items, ids(1, 2));
    assert.equal(error.code, "invalid");
    return error.message;
  };
  const schema = z.object({ id: z.number() });
  const parseItem = (item: unknown) => schema.parse(item);
  const url = `${api.origin}/items`;
  assert.match(
    await walk(jsonPages(url, { schema })),
    /page=2: 'schema' rejected item 2: id: .*\(page 2\)$/,
  );
  assert.match(
    await walk(jsonPages(url, { parseItem })),
    /page=2: 'parseItem' rejected item 2: .*\(page 2\)$/,
  );
});

test("`parse`: an abort does not wait for it", { timeout }, async (t) => {
  const server = await serve(t, (_, response) => send(response, { body: "[]" }));
  const aborter = new AbortController();
  const reason = new Error("enough");
  const poller = itemsOf(server, {
    parse() {
      aborter.abort(reason);
      return new Promise(() => {});
    },
  });
  await assert.rejects(told(poller, aborter.signal), (error) => error === reason);
});
