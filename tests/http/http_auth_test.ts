// H7: tokens, functions that give them, and Basic credentials of the URL.
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { HttpPoller, watchExternal } from "@koprs/external";
import { failure, poll, pollerOf, serve, serveRaw, told } from "./_http_server.ts";

const timeout = 10_000;

test("a fixed token is sent with every request", { timeout }, async (t) => {
  const server = await serve(t, (_, response) => response.end("x"));
  const poller = pollerOf(server, { bearerToken: "fixed" });
  await poll(poller);
  await poll(poller);
  assert.deepEqual(server.requests.map((r) => r.headers["authorization"]), [
    "Bearer fixed",
    "Bearer fixed",
  ]);
});

test("H7: a 401 does not make a fixed token try twice", { timeout }, async (t) => {
  const server = await serve(t, (_, response) => void response.writeHead(401).end());
  const error = await failure(pollerOf(server, { bearerToken: "fixed" }));
  assert.equal(error.status, 401);
  assert.equal(server.requests.length, 1);
});

for (const how of ["sync", "async"]) {
  test(
    `H7: a 401 asks the ${how} token function once more, and retries once`,
    { timeout },
    async (t) => {
      let valid = "t2";
      const server = await serve(t, (request, response) => {
        const ok = request.headers["authorization"] === `Bearer ${valid}`;
        response.writeHead(ok ? 200 : 401).end("x");
      });
      let asked = 0;
      const bearerToken = () => how === "sync" ? `t${++asked}` : Promise.resolve(`t${++asked}`);
      const poller = pollerOf(server, { bearerToken });
      assert.equal(await told(poller), "added x");
      assert.equal(asked, 2);
      assert.equal(server.requests.length, 2);
      valid = "never";
      const error = await failure(poller);
      assert.equal(error.code, "status");
      assert.equal(error.status, 401);
      assert.match(error.message, /the server answered 401: check the credentials$/);
      assert.equal(asked, 4);
      assert.equal(server.requests.length, 4, "two requests, then the watch backs off");
    },
  );
}

test("H7: after the second 401 the watch backs off", { timeout }, async (t) => {
  const server = await serve(t, (_, response) => void response.writeHead(401).end());
  const aborter = new AbortController();
  const waits: number[] = [];
  const watch = watchExternal(pollerOf(server, { bearerToken: () => "x" }), {
    interval: 10,
    jitter: 0,
    signal: aborter.signal,
    logger: false,
    onError: (_, { wait }) => waits.push(wait) === 3 && aborter.abort(),
  });
  await assert.rejects(watch.getReader().read());
  assert.deepEqual(waits, [20, 40, 80]);
  assert.equal(server.requests.length, 6);
});

test("H7: the bodies of a 401 are not left behind", { timeout }, async (t) => {
  // By socket: Node opens a spare connection that no request is ever made on.
  const closed: Promise<unknown>[] = [];
  const server = await serveRaw(t, (socket) => {
    socket.on("error", () => {}); // The client resets the connection: that frees it just as well.
    closed.push(new Promise((resolve) => socket.once("close", resolve)));
    socket.write("HTTP/1.1 401 Unauthorized\r\nContent-Length: 1000000\r\n\r\nsome");
  });
  await failure(pollerOf(server, { bearerToken: () => "x" }));
  assert.equal(closed.length, 2);
  await Promise.all(closed);
});

test(
  "a token function is asked before every request, a redirected one too",
  { timeout },
  async (t) => {
    const server = await serve(t, (request, response) => {
      if (request.url === "/") response.writeHead(302, { location: "/next" });
      response.end("x");
    });
    let asked = 0;
    await poll(pollerOf(server, { bearerToken: () => `t${++asked}` }));
    assert.deepEqual(server.requests.map((r) => r.headers["authorization"]), [
      "Bearer t1",
      "Bearer t2",
    ]);
  },
);

test(
  "a token function that misbehaves fails the poll, and no request is made",
  { timeout },
  async (t) => {
    const server = await serve(t, (_, response) => response.end("x"));
    const boom = () => {
      throw new Error("vault is sealed");
    };
    const cases: [string, () => unknown, RegExp][] = [
      ["throws", boom, /'bearerToken' failed: vault is sealed$/],
      [
        "rejects",
        () => Promise.reject(new Error("vault is gone")),
        /'bearerToken' failed: vault is gone$/,
      ],
      ["throws a string", () => {
        throw "words";
      }, /'bearerToken' failed: words$/],
      ["throws undefined", () => {
        throw undefined;
      }, /'bearerToken' failed/],
      ["throws an object without a prototype", () => {
        throw Object.create(null);
      }, /'bearerToken' failed: an unprintable value$/],
      ["throws an error of junk", () => {
        throw Object.assign(new Error(), { message: 42, name: null, stack: {} });
      }, /'bearerToken' failed: 42$/],
      ["gives nothing", () => undefined, /'bearerToken' must give a string that is not empty$/],
      ["gives an empty string", () => "", /'bearerToken' must give a string/],
      ["gives a number", () => 42, /'bearerToken' must give a string/],
      ["gives null", () => Promise.resolve(null), /'bearerToken' must give a string/],
      ["gives a Uint8Array", () => new Uint8Array(4), /'bearerToken' must give a string/],
      [
        "gives two lines",
        () => "secr3t\r\nX-Evil: 1",
        /'bearerToken' gave characters no header can hold$/,
      ],
      [
        "gives other letters",
        () => "secr3t-\u20ac",
        /'bearerToken' gave characters no header can hold$/,
      ],
    ];
    for (const [what, bearerToken, message] of cases) {
      const error = await failure(pollerOf(server, { bearerToken: bearerToken as () => string }));
      assert.equal(error.code, "invalid", what);
      assert.match(error.message, message, what);
      assert(!`${error.message}${error.stack}${error.cause}`.includes("secr3t"), what);
    }
    assert.equal(server.requests.length, 0);
  },
);

test("a token from a file may end in a line break", { timeout }, async (t) => {
  const server = await serve(t, (_, response) => response.end("x"));
  await poll(pollerOf(server, { bearerToken: () => "from-a-file\n" }));
  assert.equal(server.last.headers["authorization"], "Bearer from-a-file");
});

test(
  "a token function that hangs is bounded by the timeout and by the signal",
  { timeout },
  async (t) => {
    const server = await serve(t, (_, response) => response.end("x"));
    const bearerToken = () => new Promise<string>(() => {});
    const error = await failure(pollerOf(server, { bearerToken, timeout: 20 }));
    assert.equal(error.code, "timeout");
    const aborter = new AbortController();
    const reason = new Error("enough");
    const aborting = pollerOf(server, {
      bearerToken: () => {
        queueMicrotask(() => aborter.abort(reason));
        return bearerToken();
      },
    });
    await assert.rejects(poll(aborting, aborter.signal), (thrown) => thrown === reason);
    assert.equal(server.requests.length, 0);
  },
);

test("a token function that rejects after the timeout is not unhandled", { timeout }, async (t) => {
  const server = await serve(t, (_, response) => response.end("x"));
  let reject!: (error: Error) => void;
  const bearerToken = () => new Promise<string>((_, fail) => reject = fail);
  assert.equal((await failure(pollerOf(server, { bearerToken, timeout: 20 }))).code, "timeout");
  reject(new Error("too late")); // An unhandled rejection would end the process.
  await new Promise((resolve) => setTimeout(resolve, 0));
});

test("user info of the URL is sent as Basic credentials", { timeout }, async (t) => {
  const server = await serve(t, (_, response) => response.end("x"));
  for (
    const [userInfo, decoded] of [
      ["user:pass", "user:pass"],
      ["user", "user:"],
      [":pass", ":pass"],
      ["us%40er:p%3Aa%2Fss", "us@er:p:a/ss"],
      ["us'er:p'ss", "us'er:p'ss"],
      ["\u00fcser:p\u00e4ss\u20ac", "\u00fcser:p\u00e4ss\u20ac"],
      ["100%:p", "100%:p"],
    ]
  ) {
    const poller = new HttpPoller(server.origin.replace("//", `//${userInfo}@`));
    assert.equal(poller.name, `${server.origin}/`);
    await poll(poller);
    const [scheme, value = ""] = String(server.last.headers["authorization"]).split(" ");
    assert.equal(scheme, "Basic");
    assert.equal(Buffer.from(value, "base64").toString(), decoded);
    assert.equal(server.last.url, "/");
  }
});

test("a token, or a header of one's own, goes before user info", { timeout }, async (t) => {
  const server = await serve(t, (_, response) => response.end("x"));
  const url = server.origin.replace("//", "//user:pass@");
  await poll(new HttpPoller(url, { bearerToken: "token" }));
  assert.equal(server.last.headers["authorization"], "Bearer token");
  await poll(new HttpPoller(url, { headers: { authorization: "Digest x" } }));
  assert.equal(server.last.headers["authorization"], "Digest x");
});
