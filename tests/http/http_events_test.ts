// HttpPoller: what becomes an event (H1), and what is in it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type FailureInfo, HttpPoller, watchExternal } from "@koprs/external";
import { failure, poll, pollerOf, send, serve, type Step, told } from "./_http_server.ts";

const timeout = 10_000;

test("H1: added, modified, removed once, added again", { timeout }, async (t) => {
  const steps: Step[] = [
    { body: "one", headers: { etag: '"1"', "content-type": "text/plain" } },
    { body: "one" },
    { body: "two", headers: { etag: '"2"', "last-modified": "Sun, 06 Nov 1994 08:49:37 GMT" } },
    { status: 404, body: "no such file", headers: { etag: '"error page"' } },
    { status: 404 },
    { status: 410 },
    { body: "two" },
    { status: 410 },
  ];
  const server = await serve(t, (_, response, nth) => send(response, steps[nth - 1]!));
  const poller = pollerOf(server);

  const [added] = await poll(poller);
  assert.equal(added?.type, "added");
  assert.equal(added.item.text(), "one");
  assert.equal(added.item.status, 200);
  assert.equal(added.item.etag, '"1"');
  assert.equal(added.item.contentType, "text/plain");
  assert.equal(added.item.url, `${server.origin}/`);
  assert.equal(await told(poller), "");
  assert.equal(await told(poller), "modified two");

  const [removed, ...more] = await poll(poller);
  assert.equal(more.length, 0);
  assert.equal(removed?.type, "removed");
  assert.equal(removed.item.status, 404);
  assert.equal(removed.item.body.length, 0);
  assert.equal(removed.item.etag, '"2"', "the last validators known");
  assert.equal(removed.item.lastModified, "Sun, 06 Nov 1994 08:49:37 GMT");
  assert.equal(removed.item.contentType, undefined);
  assert.equal(await told(poller), "", "removed is told once");
  assert.equal(await told(poller), "", "a 410 after the 404 is no event");
  assert.equal(server.last.headers["if-none-match"], undefined, "what is gone has no validators");

  assert.equal(await told(poller), "added two");
  const [gone] = await poll(poller);
  assert.equal(gone?.type, "removed");
  assert.equal(gone.item.status, 410);
});

for (const status of [404, 410]) {
  test(`H1: a first ${status} is no event and no error`, { timeout }, async (t) => {
    const server = await serve(
      t,
      (_, response, nth) => send(response, nth < 3 ? { status } : { body: "here" }),
    );
    const poller = pollerOf(server);
    assert.equal(await told(poller), "");
    assert.equal(await told(poller), "");
    assert.equal(await told(poller), "added here");
  });
}

test("H1: 203 and 204 are content too, an empty one in the latter case", { timeout }, async (t) => {
  const steps: Step[] = [{ status: 203, body: "by a proxy" }, { status: 204 }, { status: 204 }];
  const server = await serve(t, (_, response, nth) => send(response, steps[nth - 1]!));
  const poller = pollerOf(server);
  assert.equal(await told(poller), "added by a proxy");
  const [emptied] = await poll(poller);
  assert.equal(emptied?.type, "modified");
  assert.equal(emptied.item.status, 204);
  assert.equal(emptied.item.body.length, 0);
  assert.equal(await told(poller), "");
});

test("H1: an event that was not handled comes again", { timeout }, async (t) => {
  let there = true;
  const server = await serve(
    t,
    (_, response) =>
      send(response, there ? { body: "x", headers: { etag: '"1"' } } : { status: 404 }),
  );
  const poller = pollerOf(server);
  const { signal } = new AbortController();
  for (const _event of await poller.poll({ signal })) break;
  assert.equal(await told(poller), "added x");
  assert.equal(server.last.headers["if-none-match"], undefined);
  there = false;
  for (const _event of await poller.poll({ signal })) break;
  assert.equal(await told(poller), "removed");
  assert.equal(await told(poller), "");
});

test("H1: content that is again as it was before an event that was not handled is told", {
  timeout,
}, async (t) => {
  let body = "one";
  const server = await serve(t, ({ headers }, response) =>
    send(
      response,
      headers["if-none-match"] === `"${body}"`
        ? { status: 304 }
        : { body, headers: { etag: `"${body}"` } },
    ));
  const poller = pollerOf(server);
  await poll(poller);
  body = "two";
  for (const _event of await poller.poll({ signal: new AbortController().signal })) break;
  body = "one";
  assert.equal(await told(poller), "modified one", "the consumer may know 'two'");
  assert.equal(await told(poller), "");
});

test("H1: every other status is an error, and the state stays", { timeout }, async (t) => {
  const statuses = [400, 401, 402, 403, 405, 429, 500, 502, 503, 599, 201, 202, 205, 300, 301];
  const server = await serve(t, (_, response, nth) => {
    const status = nth % 2 === 0 ? statuses[nth / 2 - 1] : undefined;
    if (status !== undefined) send(response, { status, body: status === 205 ? "" : "oops" });
    else send(response, { body: "good" });
  });
  const poller = pollerOf(server);
  assert.equal(await told(poller), "added good");
  for (const status of statuses) {
    const error = await failure(poller);
    assert.equal(error.code, "status", String(status));
    assert.equal(error.status, status);
    assert.match(
      error.message,
      new RegExp(`^Cannot poll 'http://127.*: the server answered ${status}`),
    );
    assert.equal(await told(poller), "", `after ${status}`);
  }
});

test("the body as text and JSON", { timeout }, async (t) => {
  const server = await serve(t, (_, response) => send(response, { body: '\ufeff{"a":"é"}' }));
  const [event] = await poll(pollerOf(server));
  assert.deepEqual(event?.item.json(), { a: "é" });
  assert.equal(event?.item.text(), '{"a":"é"}');
});

test("the item's URL is the one that answered, without user info", { timeout }, async (t) => {
  const server = await serve(t, (request, response) =>
    send(
      response,
      request.url === "/" ? { status: 307, headers: { location: "/there?a=b#c" } } : { body: "x" },
    ));
  const [event] = await poll(new HttpPoller(server.origin.replace("//", "//me:pw@") + "/"));
  assert.equal(event?.item.url, `${server.origin}/there?a=b`);
});

test("Retry-After of an error lifts the wait of the watch", { timeout }, async (t) => {
  const server = await serve(
    t,
    (_, response) => send(response, { status: 503, headers: { "retry-after": "7" } }),
  );
  const aborter = new AbortController();
  const watch = watchExternal(pollerOf(server), {
    interval: 1_000,
    signal: aborter.signal,
    onError: (error, info) => aborter.abort({ error, info }),
  });
  const { error, info } = await watch.getReader().read().then(
    () => assert.fail("no event was due"),
    (reason: { error: Error & { retryAfter?: number }; info: FailureInfo }) => reason,
  );
  assert.equal(error.retryAfter, 7_000);
  assert.equal(info.attempt, 1);
  assert(info.wait >= 7_000 && info.wait <= 7_700, `a wait of ${info.wait}`);
});
