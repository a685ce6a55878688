// HttpPoller: content decides, not the ETag (H3).
import assert from "node:assert/strict";
import { test } from "node:test";
import { pollerOf, send, serve, type Step, told } from "./_http_server.ts";

const timeout = 10_000;

test("H3: content decides, not the ETag", { timeout }, async (t) => {
  const steps: Step[] = [
    { body: "one", headers: { etag: '"1"' } },
    { body: "one", headers: { etag: '"2"' } },
    { body: "two", headers: { etag: '"2"' } },
    { body: "two" },
    { body: "one", headers: { etag: '"2"' } },
  ];
  const server = await serve(t, (_, response, nth) => send(response, steps[nth - 1]!));
  const poller = pollerOf(server);
  const told_ = [];
  for (const _step of steps) told_.push(await told(poller));
  assert.deepEqual(told_, ["added one", "", "modified two", "", "modified one"]);
  assert.deepEqual(
    server.requests.map(({ headers }) => headers["if-none-match"]),
    [undefined, '"1"', '"2"', '"2"', undefined],
    "each request names the ETag seen last",
  );
});

test("H3: servers without validators work", { timeout }, async (t) => {
  const bodies = ["a", "a", "b", "", "", "b"];
  const server = await serve(t, (_, response, nth) => send(response, { body: bodies[nth - 1]! }));
  const poller = pollerOf(server);
  const all = [];
  for (const _body of bodies) all.push(await told(poller));
  assert.deepEqual(all, ["added a", "", "modified b", "modified", "", "modified b"]);
  assert(
    server.requests.every(({ headers }) => !Object.keys(headers).some((h) => h.startsWith("if-"))),
  );
});
