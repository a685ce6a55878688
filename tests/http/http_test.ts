// HttpPoller: what becomes an event, conditional requests, validation, names, options (H1 to H4, W8, W10).
import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import process from "node:process";
import { test } from "node:test";
import { type FailureInfo, HttpPoller, watchExternal } from "@koprs/external";
import type { HttpPollerOptions } from "@koprs/external/http";
import { answer, failure, poll, pollerOf, serve, serveRaw, told } from "./_http_server.ts";

const timeout = 10_000;

/** What a scripted server answers, request by request. */
interface Step {
  readonly status?: number;
  readonly body?: string;
  readonly headers?: Record<string, string>;
}

function send(response: ServerResponse, { status = 200, body = "", headers = {} }: Step): void {
  response.writeHead(status, headers).end(body);
}

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

test(
  "validate: a throw or rejection fails the poll, and the state stays",
  { timeout },
  async (t) => {
    const bodies = ["1", "bad", "bad", "1", "2"];
    for (const reject of [false, true]) {
      const server = await serve(
        t,
        (_, response, nth) =>
          send(response, { body: bodies[nth - 1]!, headers: { etag: `"${nth}"` } }),
      );
      const seen: string[] = [];
      const cause = new RangeError("not a number");
      const poller = pollerOf(server, {
        validate: (resource) => {
          seen.push(resource.text());
          if (resource.text() !== "bad") return;
          if (reject) return Promise.reject(cause);
          throw cause;
        },
      });
      assert.equal(await told(poller), "added 1");
      for (let nth = 0; nth < 2; nth++) {
        const error = await failure(poller);
        assert.equal(error.code, "invalid");
        assert.match(error.message, /'validate' rejected it: not a number$/);
        assert.equal(error.cause, cause, "the user's own error, to be told by its class");
        assert.equal(server.last.headers["if-none-match"], '"1"', "the old validators");
      }
      assert.equal(await told(poller), "", "the old content is still the one that counts");
      assert.equal(await told(poller), "modified 2");
      assert.deepEqual(seen, ["1", "bad", "bad", "2"], "content seen before is not asked about");
    }
  },
);

test("validate: a JSON that is none is reported by its own error", { timeout }, async (t) => {
  const server = await serve(t, (_, response) => send(response, { body: "{" }));
  const error = await failure(pollerOf(server, { validate: (resource) => resource.json() }));
  assert.equal(error.code, "invalid");
  assert(error.cause instanceof SyntaxError);
});

test("validate: an abort does not wait for it", { timeout }, async (t) => {
  const server = await serve(t, (_, response) => send(response, { body: "x" }));
  const aborter = new AbortController();
  const reason = new Error("enough");
  const poller = pollerOf(server, {
    validate: () => {
      aborter.abort(reason);
      return new Promise(() => {});
    },
  });
  await assert.rejects(poll(poller, aborter.signal), (error) => error === reason);
});

test(
  "validate: what it throws reaches onError once, and the watch goes on (W10)",
  { timeout },
  async (t) => {
    const server = await serve(
      t,
      (_, response, nth) => send(response, { body: nth < 3 ? "bad" : "good" }),
    );
    const errors: string[] = [];
    const poller = pollerOf(server, {
      validate: (resource) => {
        if (resource.text() === "bad") throw "a string";
      },
    });
    const watch = watchExternal(poller, {
      interval: 1,
      onError: (error) => errors.push(`${error.code} ${error.message.split(": ").at(-1)}`),
    });
    for await (const event of watch) {
      assert.equal(event.item.text(), "good");
      break;
    }
    assert.deepEqual(errors, ["invalid a string", "invalid a string"]);
  },
);

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
    let listeners = 0;
    const { addEventListener, removeEventListener } = signal;
    signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
      listeners++;
      addEventListener.apply(signal, args);
    };
    signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
      listeners--;
      removeEventListener.apply(signal, args);
    };
    for (let nth = 0; nth < 10; nth++) await poll(poller, signal).catch(() => {});
    assert.equal(listeners, 0);
  },
);

test("the body as text and JSON", { timeout }, async (t) => {
  const server = await serve(t, (_, response) => send(response, { body: '\ufeff{"a":"é"}' }));
  const [event] = await poll(pollerOf(server));
  assert.deepEqual(event?.item.json(), { a: "é" });
  assert.equal(event?.item.text(), '{"a":"é"}');
});

test("onRequest is called once a request", { timeout }, async (t) => {
  const server = await serve(t, (request, response) =>
    send(
      response,
      request.url === "/" ? { status: 302, headers: { location: "/next" } } : { body: "x" },
    ));
  let requests = 0;
  const { signal } = new AbortController();
  await pollerOf(server).poll({ signal, onRequest: () => void requests++ });
  assert.equal(requests, 2);
});

test("headers: every form of HeadersInit", { timeout }, async (t) => {
  const server = await serve(t, (_, response) => send(response, { body: "x" }));
  for (
    const headers of [
      { "X-One": "1" },
      [["X-One", "1"]] as [string, string][],
      new Headers({ "X-One": "1" }),
    ]
  ) {
    await poll(pollerOf(server, { headers }));
    assert.equal(server.last.headers["x-one"], "1");
  }
});

test(
  "headers are copied: a later change of the caller's object changes nothing",
  { timeout },
  async (t) => {
    const server = await serve(t, (_, response) => send(response, { body: "x" }));
    const headers = new Headers({ "X-One": "1" });
    const poller = pollerOf(server, { headers });
    headers.set("X-One", "2");
    await poll(poller);
    assert.equal(server.last.headers["x-one"], "1");
  },
);

test(
  "fetch: the caller's own is used, or else the global one of the moment",
  { timeout },
  async (t) => {
    const server = await serve(t, (_, response) => send(response, { body: "x" }));
    const urls: string[] = [];
    const own: typeof fetch = (input, init) => {
      urls.push(String(input));
      return real(input, init);
    };
    const real = globalThis.fetch;
    await poll(pollerOf(server, { fetch: own }, "/own"));
    const poller = pollerOf(server, {}, "/global");
    globalThis.fetch = own;
    try {
      await poll(poller);
    } finally {
      globalThis.fetch = real;
    }
    assert.deepEqual(urls, [`${server.origin}/own`, `${server.origin}/global`]);
  },
);

test("fetch: one that misbehaves fails the poll with a clear error", { timeout }, async () => {
  const cases: [string, unknown, RegExp][] = [
    ["throws", () => {
      throw new Error("sync");
    }, /sync$/],
    ["throws nothing", () => {
      throw undefined;
    }, /Cannot poll/],
    ["rejects with a string", () => Promise.reject("just text"), /just text$/],
    ["gives undefined", () => undefined, /'fetch' must give a Response$/],
    [
      "gives a promise of junk",
      () => Promise.resolve({ status: 200 }),
      /'fetch' must give a Response$/,
    ],
  ];
  for (const [what, own, message] of cases) {
    const error = await failure(
      new HttpPoller("http://localhost/", { fetch: own as typeof fetch }),
    );
    assert.match(error.message, message, what);
  }
});

test("fetch: one that does not heed the signal is not waited for, and its body is cancelled", {
  timeout,
}, async () => {
  let cancelled!: () => void;
  const cancel = new Promise<void>((resolve) => cancelled = resolve);
  let respond!: (response: Response) => void;
  const aborter = new AbortController();
  const poller = new HttpPoller("http://localhost/", {
    fetch: () => {
      queueMicrotask(() => aborter.abort(reason));
      return new Promise((resolve) => respond = resolve);
    },
  });
  const reason = new Error("enough");
  await assert.rejects(poll(poller, aborter.signal), (error) => error === reason);
  respond(new Response(new ReadableStream({ cancel: cancelled })));
  await cancel;
});

const lateAnswers: [string, () => unknown][] = [
  ["nothing", () => undefined],
  ["junk", () => ({ body: {} })],
  ["a rejection", () => Promise.reject(new Error("too late"))],
];
for (const [what, late] of lateAnswers) {
  test(`fetch: ${what} after an abort is nobody's error`, { timeout }, async () => {
    const reason = new Error("enough");
    const aborter = new AbortController();
    let respond!: (response: unknown) => void;
    const poller = new HttpPoller("http://localhost/", {
      fetch: () => {
        queueMicrotask(() => aborter.abort(reason));
        return new Promise<never>((resolve) => respond = resolve as typeof respond);
      },
    });
    await assert.rejects(poll(poller, aborter.signal), (error) => error === reason);
    const unhandled: unknown[] = [];
    const onUnhandled = (error: unknown) => unhandled.push(error);
    process.on("unhandledRejection", onUnhandled);
    try {
      respond(late());
      await new Promise((resolve) => setTimeout(resolve, 10));
    } finally {
      process.off("unhandledRejection", onUnhandled);
    }
    assert.deepEqual(unhandled, []);
  });
}

test("fetch: one that does not heed the signal is not waited for at the timeout either", {
  timeout,
}, async () => {
  let cancelled!: () => void;
  const cancel = new Promise<void>((resolve) => cancelled = resolve);
  let respond!: (response: Response) => void;
  const poller = new HttpPoller("http://localhost/", {
    timeout: 20,
    fetch: () => new Promise((resolve) => respond = resolve),
  });
  assert.equal((await failure(poller)).code, "timeout");
  respond(new Response(new ReadableStream({ cancel: cancelled })));
  await cancel;
});

test("options: misuse throws from the constructor", () => {
  const url = "https://example.com/";
  const bad: [
    unknown,
    HttpPollerOptions | Record<string, unknown>,
    typeof TypeError | typeof RangeError,
    RegExp,
  ][] = [
    ["", {}, TypeError, /URL is invalid: ''/],
    ["example.com/x", {}, TypeError, /URL is invalid/],
    ["ftp://example.com/", {}, TypeError, /must be http or https: it is ftp:/],
    ["file:///etc/passwd", {}, TypeError, /must be http or https: it is file:/],
    ["data:text/plain,x", {}, TypeError, /must be http or https: it is data:/],
    ["blob:http://example.com/1", {}, TypeError, /must be http or https/],
    [undefined, {}, TypeError, /URL is invalid/],
    [url, { timeout: 0 }, RangeError, /'timeout' must be positive and finite: current value is 0$/],
    [url, { timeout: -1 }, RangeError, /'timeout'/],
    [url, { timeout: NaN }, RangeError, /'timeout'/],
    [url, { timeout: Infinity }, RangeError, /'timeout'/],
    [url, { timeout: "30" }, TypeError, /'timeout' must be a number/],
    [url, { maxBytes: 0 }, RangeError, /'maxBytes'/],
    [url, { maxBytes: "1" }, TypeError, /'maxBytes'/],
    [url, { bearerToken: "" }, TypeError, /'bearerToken'/],
    [url, { bearerToken: 5 }, TypeError, /'bearerToken'/],
    [url, { bearerToken: "a\nb" }, TypeError, /'bearerToken' has characters no header can hold/],
    [url, { bearerToken: "x", headers: { Authorization: "y" } }, TypeError, /both/],
    [url, { headers: { "bad name": "x" } }, TypeError, /'headers'/],
    [url, { headers: { x: "a\nb" } }, TypeError, /'headers'/],
    [url, { headers: 5 }, TypeError, /'headers'/],
    [url, { headers: { "If-None-Match": "*" } }, TypeError, /if-none-match/],
    [url, { headers: { Range: "bytes=0-1" } }, TypeError, /range/],
    [url, { headers: { "if-modified-since": "x" } }, TypeError, /if-modified-since/],
    [url, { validate: true }, TypeError, /'validate'/],
    [url, { fetch: "fetch" }, TypeError, /'fetch'/],
    [url, { name: "" }, TypeError, /'name'/],
    [url, { name: 5 }, TypeError, /'name'/],
  ];
  for (const [target, options, kind, message] of bad) {
    assert.throws(
      () => new HttpPoller(target as string, options as HttpPollerOptions),
      (error) => {
        assert(error instanceof kind, `${JSON.stringify(options)}: ${error}`);
        assert.match(error.message, /^Cannot poll .*[^.]$/);
        assert.match(error.message, message);
        return true;
      },
    );
  }
});

test("names: the URL without user info and fragment, secret values masked, or the caller's", () => {
  const names: [string, string][] = [
    ["https://example.com/config", "https://example.com/config"],
    ["https://example.com/a?b=c#d", "https://example.com/a?b=c"],
    ["https://user:pass@example.com/", "https://example.com/"],
    ["https://us'er:pa'ss@example.com/", "https://example.com/"],
    ["https://example.com/?token=x&page=2", "https://example.com/?token=***&page=2"],
    ["https://example.com/?token=a)b&page=2", "https://example.com/?token=***&page=2"],
    ["https://example.com/?token=a;b&page=2", "https://example.com/?token=***&page=2"],
    ["https://example.com/?a=1;token=b", "https://example.com/?a=1;token=***"],
    ["https://example.com/?X-Amz-Signature=ab", "https://example.com/?X-Amz-Signature=***"],
  ];
  for (const [url, name] of names) {
    assert.equal(new HttpPoller(url).name, name);
    assert.equal(new HttpPoller(new URL(url)).name, name);
  }
  assert.equal(new HttpPoller("https://a:b@example.com/", { name: "config" }).name, "config");
});

test("a URL object is copied", { timeout }, async (t) => {
  const server = await serve(t, (_, response) => send(response, { body: "x" }));
  const url = new URL(server.origin + "/before#part");
  const poller = new HttpPoller(url);
  assert.equal(url.hash, "#part", "the caller's URL is untouched");
  url.pathname = "/after";
  await poll(poller);
  assert.equal(server.last.url, "/before");
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
