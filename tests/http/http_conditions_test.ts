// HttpPoller: conditional requests (H2).
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  answer,
  poll,
  pollerOf,
  send,
  serve,
  serveRaw,
  type Step,
  type TestServer,
  told,
} from "./_http_server.ts";

const timeout = 10_000;

test("H2: both validators go back as received, and a 304 is no event", { timeout }, async (t) => {
  const etags = ['"abc"', 'W/"abc"', '"a,b;c"', '"\u00e9\u00ff"', '"!#~"', '"W/"'];
  const dates = ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT"];
  for (const etag of etags) {
    for (const date of dates) {
      const server = await serveRaw(t, (socket, nth) => {
        const headers = { ETag: etag, "Last-Modified": date };
        socket.write(
          nth === 1 ? answer(200, headers, "body") : answer(304, { ETag: etag }),
          "latin1",
        );
      });
      const poller = pollerOf(server);
      assert.equal(await told(poller), "added body");
      assert(!/^if-/mi.test(server.heads[0]!), "nothing to compare with yet");
      for (let nth = 1; nth < 3; nth++) {
        assert.equal(await told(poller), "");
        const sent = new Map(
          server.heads[nth]!.split("\r\n").slice(1).map((line) => {
            const colon = line.indexOf(": ");
            return [line.slice(0, colon).toLowerCase(), line.slice(colon + 2)];
          }),
        );
        assert.equal(sent.get("if-none-match"), etag);
        assert.equal(sent.get("if-modified-since"), date);
      }
    }
  }
});

test("H2: one validator alone is sent alone", { timeout }, async (t) => {
  for (
    const [name, value, back] of [
      ["etag", '"only"', "if-none-match"],
      ["last-modified", "Sun, 06 Nov 1994 08:49:37 GMT", "if-modified-since"],
    ] as const
  ) {
    const server = await serve(
      t,
      (request, response) =>
        request.headers[back] === value
          ? send(response, { status: 304 })
          : send(response, { body: "x", headers: { [name]: value } }),
    );
    const poller = pollerOf(server);
    assert.equal(await told(poller), "added x");
    assert.equal(await told(poller), "");
    const conditions = Object.keys(server.last.headers).filter((key) => key.startsWith("if-"));
    assert.deepEqual(conditions, [back]);
  }
});

test(
  "H2: max-age=0 and identity are asked for unless the user says otherwise",
  { timeout },
  async (t) => {
    const server = await serve(
      t,
      (_, response) => send(response, { body: "x", headers: { etag: '"1"' } }),
    );
    for (let nth = 0; nth < 2; nth++) {
      const poller = pollerOf(server);
      await poll(poller);
      await poll(poller);
      assert.equal(server.last.headers["if-none-match"], '"1"');
      assert.equal(server.last.headers["cache-control"], "max-age=0");
      assert.equal(server.last.headers["accept-encoding"], "identity");
    }
    const headers = { "Cache-Control": "no-cache", "Accept-Encoding": "gzip" };
    await poll(pollerOf(server, { headers }));
    assert.equal(server.last.headers["cache-control"], "no-cache");
    assert.equal(server.last.headers["accept-encoding"], "gzip");
  },
);

test(
  "H2: a Last-Modified of the second that is not over is not trusted",
  { timeout },
  async (t) => {
    const at = (seconds: number) => new Date(Date.UTC(2024, 0, 1, 0, 0, seconds)).toUTCString();
    const steps: Step[] = [
      { body: "one", headers: { date: at(1), "last-modified": at(1), etag: '"1-3"' } },
      { body: "one", headers: { date: at(1), "last-modified": at(1), etag: '"1-3"' } },
      // Written in the same second again, in the same size: both validators stay.
      { body: "two", headers: { date: at(1), "last-modified": at(1), etag: '"1-3"' } },
      { body: "two", headers: { date: at(2), "last-modified": at(1), etag: '"1-3"' } },
    ];
    const server = await serve(t, (request, response, nth) => {
      const step = request.headers["if-none-match"] === undefined ? steps[nth - 1] : undefined;
      send(response, step ?? { status: 304 });
    });
    const poller = pollerOf(server);
    assert.equal(await told(poller), "added one");
    assert.equal(await told(poller), "");
    assert.equal(await told(poller), "modified two");
    assert.equal(await told(poller), "");
    assert(server.requests.every(({ headers }) => headers["if-none-match"] === undefined));
    assert.equal(await told(poller), "");
    assert.equal(server.last.headers["if-none-match"], '"1-3"', "now the second is over");
  },
);

const second = 1_000;
const day = 24 * 3600 * second;

/** What was sent as `If-None-Match` and `If-Modified-Since`, request by request. */
function conditions(server: TestServer): string[] {
  return server.requests.map(({ headers }) =>
    `${headers["if-none-match"] ?? "-"} ${headers["if-modified-since"] ?? "-"}`
  );
}

test("H2: the validators of a 304 take the place of those known", { timeout }, async (t) => {
  const [old, moved] = ["Sun, 06 Nov 1994 08:49:37 GMT", "Mon, 07 Nov 1994 08:49:37 GMT"];
  const steps: Step[] = [
    { body: "x", headers: { etag: 'W/"1"', "last-modified": old } },
    { status: 304, headers: { etag: '"1"' } },
    { status: 304, headers: { "last-modified": moved } },
    { status: 304, headers: { etag: 'W/"other"' } }, // names no version that is known
    { status: 304, headers: { etag: "bare", "last-modified": "" } },
    { status: 304, headers: { etag: 'W/"1"', "last-modified": old } },
    { status: 304 },
  ];
  const server = await serve(t, (_, response, nth) => send(response, steps[nth - 1]!));
  const poller = pollerOf(server);
  const events = [];
  for (const _step of steps) events.push(await told(poller));
  assert.deepEqual(events, ["added x", "", "", "", "", "", ""]);
  assert.deepEqual(conditions(server), [
    "- -",
    `W/"1" ${old}`,
    `"1" ${old}`,
    `"1" ${moved}`,
    `"1" ${moved}`,
    `"1" ${moved}`,
    `W/"1" ${old}`,
  ]);
});

test("H2: a 304 that was not read to its end changes nothing", { timeout }, async (t) => {
  const steps: Step[] = [
    { body: "x", headers: { etag: 'W/"1"' } },
    { status: 304, headers: { etag: '"1"' } },
    { status: 304 },
  ];
  const server = await serve(t, (_, response, nth) => send(response, steps[nth - 1]!));
  const poller = pollerOf(server);
  await poll(poller);
  await poller.poll({ signal: new AbortController().signal });
  await poll(poller);
  assert.equal(server.last.headers["if-none-match"], 'W/"1"');
});

test("H2: a 304 that says by time alone that the content is of this second is the last believed", {
  timeout,
}, async (t) => {
  const at = (time: number) => new Date(Date.UTC(2024, 0, 1) + time).toUTCString();
  const steps: Step[] = [
    { body: "x", headers: { date: at(day), "last-modified": at(0) } },
    { status: 304, headers: { date: at(2 * day), "last-modified": at(2 * day) } },
    { body: "y", headers: { date: at(2 * day + second), "last-modified": at(2 * day) } },
    { status: 304, headers: { date: at(3 * day) } },
  ];
  const server = await serve(t, (_, response, nth) => send(response, steps[nth - 1]!));
  const poller = pollerOf(server);
  assert.equal(await told(poller), "added x");
  assert.equal(await told(poller), "");
  assert.equal(await told(poller), "modified y");
  assert.equal(await told(poller), "");
  assert.deepEqual(conditions(server), ["- -", `- ${at(0)}`, "- -", `- ${at(2 * day)}`]);
});

test(
  "H2: a Last-Modified that a server says is now, whenever it is asked, does not unsettle an ETag",
  {
    timeout,
  },
  async (t) => {
    let now = Date.UTC(2024, 0, 1);
    const server = await serve(t, (request, response) => {
      now += second;
      const headers = {
        etag: '"1"',
        date: new Date(now).toUTCString(),
        "last-modified": new Date(now).toUTCString(),
      };
      const known = request.headers["if-none-match"] === '"1"';
      send(response, known ? { status: 304, headers } : { body: "x", headers });
    });
    const poller = pollerOf(server);
    for (const expected of ["added x", "", "", ""]) assert.equal(await told(poller), expected);
    assert.deepEqual(
      server.requests.map(({ headers }) => headers["if-none-match"]),
      [undefined, undefined, '"1"', '"1"'],
    );
  },
);

test(
  "H2: an ETag that is weak at first and strong then is the same one",
  { timeout },
  async (t) => {
    const at = (seconds: number) => new Date(Date.UTC(2024, 0, 1) + seconds * second).toUTCString();
    const now = (seconds: number) => ({ date: at(seconds), "last-modified": at(seconds) });
    const steps: Step[] = [
      { body: "x", headers: { etag: 'W/"1"', ...now(1) } },
      { body: "x", headers: { etag: '"1"', ...now(2) } },
      { status: 304, headers: { etag: '"1"' } },
    ];
    const server = await serve(t, (_, response, nth) => send(response, steps[nth - 1]!));
    const poller = pollerOf(server);
    for (const expected of ["added x", "", ""]) assert.equal(await told(poller), expected);
    assert.deepEqual(conditions(server), ["- -", "- -", `"1" ${at(2)}`]);
  },
);

test("H2: without a Date, our own clock says whether a Last-Modified is of this second", {
  timeout,
}, async (t) => {
  const now = Date.UTC(2024, 0, 1);
  t.mock.timers.enable({ apis: ["Date"], now: now + 999 });
  const server = await serveRaw(t, (socket) => {
    socket.write(answer(200, { "Last-Modified": new Date(now).toUTCString(), ETag: '"1"' }, "x"));
  });
  const poller = pollerOf(server);
  const isConditional = async () => {
    await poll(poller);
    return /^if-/mi.test(server.heads.at(-1)!);
  };
  assert.equal(await isConditional(), false, "nothing is known");
  assert.equal(await isConditional(), false, "the second is not over");
  t.mock.timers.tick(1);
  assert.equal(await isConditional(), false, "it was not over when the last answer was made");
  assert.equal(await isConditional(), true);
});
