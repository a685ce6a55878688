// H6: redirects are followed by hand, and what is the caller's stays with the caller's origin.
import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { test } from "node:test";
import { HttpPoller } from "@koprs/external";
import { answer, failure, poll, pollerOf, serve, serveRaw, told } from "./_http_server.ts";

const timeout = 10_000;

function redirect(response: ServerResponse, location: string, status = 302): void {
  response.writeHead(status, { location }).end("moved");
}

/** Everything a caller may send that no other origin must see. */
const secrets = {
  headers: { "X-Api-Key": "k3y-value", Cookie: "a=b", "X-Trace": "t", "User-Agent": "agent/1" },
  bearerToken: () => "b3arer",
};
const own = ["x-api-key", "cookie", "x-trace", "authorization"];

for (const status of [301, 302, 303, 307, 308]) {
  test(
    `H6: a ${status} on the same origin keeps every header and token`,
    { timeout },
    async (t) => {
      const server = await serve(t, (request, response) => {
        if (request.url === "/") redirect(response, "there", status);
        else response.end("x");
      });
      assert.equal(await told(pollerOf(server, secrets)), "added x");
      assert.deepEqual(server.requests.map(({ method, url }) => `${method} ${url}`), [
        "GET /",
        "GET /there",
      ]);
      for (const { headers } of server.requests) {
        assert.equal(headers["x-api-key"], "k3y-value");
        assert.equal(headers["cookie"], "a=b");
        assert.equal(headers["user-agent"], "agent/1");
        assert.equal(headers["authorization"], "Bearer b3arer");
      }
    },
  );
}

test("H6: another origin sees no header and no token of the caller", { timeout }, async (t) => {
  const other = await serve(t, (_, response) => response.end("theirs"));
  const server = await serve(t, (_, response) => redirect(response, `${other.origin}/x`));
  let asked = 0;
  const poller = pollerOf(server, { ...secrets, bearerToken: () => `b3arer-${++asked}` });
  const [event] = await poll(poller);
  assert.equal(event?.item.text(), "theirs");
  assert.equal(event?.item.url, `${other.origin}/x`);
  for (const name of own) {
    assert.notEqual(server.last.headers[name], undefined);
    assert.equal(other.last.headers[name], undefined, name);
  }
  assert.equal(other.last.headers["cache-control"], "max-age=0", "our own headers are sent");
  assert.equal(other.last.headers["accept-encoding"], "identity");
  assert.equal(asked, 1, "no token is asked for which nobody may see");
});

test("H6: the origin differs by host, port and name alike", { timeout }, async (t) => {
  const server = await serve(t, (request, response) => {
    // The same machine and port by another name is another origin.
    if (request.url === "/") {
      redirect(response, server.origin.replace("127.0.0.1", "localhost") + "/x");
    } else response.end("x");
  });
  await poll(pollerOf(server, secrets));
  assert.equal(server.requests.length, 2);
  for (const name of own) assert.equal(server.last.headers[name], undefined, name);
});

test("H6: nothing comes back with the way home", { timeout }, async (t) => {
  const other = await serve(t, (_, response) => redirect(response, `${server.origin}/end`));
  const server = await serve(t, (request, response) => {
    if (request.url === "/") redirect(response, other.origin);
    else response.end("home");
  });
  assert.equal(await told(pollerOf(server, secrets)), "added home");
  assert.deepEqual(server.requests.map(({ url }) => url), ["/", "/end"]);
  for (const name of own) assert.equal(server.last.headers[name], undefined, name);
});

test("H6: a 401 of another origin does not ask for a token", { timeout }, async (t) => {
  const other = await serve(t, (_, response) => void response.writeHead(401).end());
  const server = await serve(t, (_, response) => redirect(response, other.origin));
  let asked = 0;
  const error = await failure(pollerOf(server, { bearerToken: () => String(++asked) }));
  assert.equal(error.status, 401);
  assert.equal(asked, 1);
  assert.equal(other.requests.length, 1);
});

test("H6: Basic credentials of the URL stay with their origin", { timeout }, async (t) => {
  const other = await serve(t, (_, response) => response.end("x"));
  const server = await serve(t, (_, response) => redirect(response, other.origin));
  await poll(new HttpPoller(server.origin.replace("//", "//user:pass@")));
  assert.match(String(server.last.headers["authorization"]), /^Basic /);
  assert.equal(other.last.headers["authorization"], undefined);
});

test("H6: user info in Location is not sent", { timeout }, async (t) => {
  const other = await serve(t, (_, response) => response.end("x"));
  const server = await serve(
    t,
    (_, response) => redirect(response, other.origin.replace("//", "//evil:cr3dential@")),
  );
  const [event] = await poll(pollerOf(server));
  assert.equal(other.last.headers["authorization"], undefined);
  assert.equal(event?.item.url, `${other.origin}/`);
});

test("H6: five redirects are followed, a sixth is not", { timeout }, async (t) => {
  for (const hops of [5, 6]) {
    const server = await serve(t, (request, response) => {
      const nth = Number(request.url?.slice(1));
      if (nth < hops) redirect(response, `/${nth + 1}`);
      else response.end("end");
    });
    const poller = pollerOf(server, {}, "/0");
    if (hops === 5) assert.equal(await told(poller), "added end");
    else {
      const error = await failure(poller);
      assert.equal(error.code, "protocol");
      assert.match(error.message, /more than 5 redirects, the next to http.*\/6$/);
    }
    assert.equal(server.requests.length, 6);
  }
});

test("H6: never back to a URL already seen", { timeout }, async (t) => {
  const loops: Record<string, string>[] = [
    { "/a": "/a" },
    { "/a": "" },
    { "/a": "#part" },
    { "/a": "/b", "/b": "/a" },
    { "/a": "/b", "/b": "/c", "/c": "/b" },
    { "/a": "/b", "/b": "/a#other" },
  ];
  for (const loop of loops) {
    const server = await serve(t, (request, response) => redirect(response, loop[request.url!]!));
    const error = await failure(pollerOf(server, {}, "/a"));
    assert.equal(error.code, "protocol");
    assert.match(error.message, /a redirect loop through http/);
    assert.equal(server.requests.length, Object.keys(loop).length);
  }
});

test("H6: http and https only", { timeout }, async (t) => {
  const targets = [
    "file:///etc/passwd",
    "data:text/plain,hello",
    "ftp://127.0.0.1/x",
    "blob:http://127.0.0.1/x",
    "javascript:alert(1)",
    "mailto:a@example.com",
    "unix:/var/run/docker.sock",
    "about:blank",
    "FILE:///etc/passwd",
  ];
  for (const target of targets) {
    const server = await serve(t, (_, response) => redirect(response, target));
    const error = await failure(pollerOf(server));
    assert.equal(error.code, "protocol", target);
    assert.match(error.message, /a redirect to [a-z]+: is not followed, only to http\(s\)$/);
    assert.equal(server.requests.length, 1);
  }
});

test(
  "H6: an invalid Location is an error, one that is missing a status",
  { timeout },
  async (t) => {
    for (const target of ["http://", "http://[::1", "https://exa mple.com/", "//"]) {
      const server = await serveRaw(t, (socket) => socket.write(answer(302, { Location: target })));
      const error = await failure(pollerOf(server));
      assert.equal(error.code, "protocol", target);
      assert.match(error.message, /a redirect to an invalid URL$/);
    }
    const server = await serveRaw(t, (socket) => socket.write(answer(302, {})));
    const error = await failure(pollerOf(server));
    assert.equal(error.code, "status");
    assert.equal(error.status, 302);
  },
);

test("H6: no error of a redirect shows a secret of its URL", { timeout }, async (t) => {
  for (
    const target of [
      "//user:hunter22@",
      "ftp://user:hunter22@x/?",
      "/?sig=hunter22&x=",
      "http://u:hunter22@[",
    ]
  ) {
    const server = await serve(t, (_, response) => redirect(response, target));
    const error = await failure(pollerOf(server));
    assert(!`${error.message}${error.stack}${error.cause}`.includes("hunter22"), error.message);
  }
});

test("validators go to the URL that gave them, and to no other", { timeout }, async (t) => {
  let target = "/a";
  const server = await serve(t, (request, response) => {
    if (request.url === "/") redirect(response, target);
    else if (request.headers["if-none-match"] === '"same"') response.writeHead(304).end();
    else response.writeHead(200, { etag: '"same"' }).end(`content of ${request.url}`);
  });
  const poller = pollerOf(server);
  const conditions = () =>
    server.requests.slice(-2).map(({ url, headers }) => `${url} ${headers["if-none-match"]}`);
  assert.equal(await told(poller), "added content of /a");
  assert.deepEqual(conditions(), ["/ undefined", "/a undefined"]);
  assert.equal(await told(poller), "");
  assert.deepEqual(conditions(), ["/ undefined", '/a "same"']);
  target = "/b";
  assert.equal(await told(poller), "modified content of /b", "another file with the same ETag");
  assert.deepEqual(conditions(), ["/ undefined", "/b undefined"]);
  assert.equal(await told(poller), "");
  assert.deepEqual(conditions(), ["/ undefined", '/b "same"']);
});

test("validators of the URL itself do not travel along a redirect", { timeout }, async (t) => {
  const other = await serve(t, (_, response) => response.end("theirs"));
  let moved = false;
  const server = await serve(
    t,
    (_, response) =>
      moved
        ? redirect(response, other.origin)
        : response.writeHead(200, { etag: '"1"', "last-modified": "Sun, 06 Nov 1994 08:49:37 GMT" })
          .end("mine"),
  );
  const poller = pollerOf(server);
  assert.equal(await told(poller), "added mine");
  moved = true;
  assert.equal(await told(poller), "modified theirs");
  assert.equal(server.last.headers["if-none-match"], '"1"');
  assert.equal(other.last.headers["if-none-match"], undefined);
  assert.equal(other.last.headers["if-modified-since"], undefined);
});

test("a 304 after a redirect to where nothing was asked is an error", { timeout }, async (t) => {
  let moved = false;
  const server = await serve(t, (request, response) => {
    if (request.url === "/x") response.writeHead(304).end();
    else if (moved) redirect(response, "/x");
    else response.writeHead(200, { etag: '"1"' }).end("mine");
  });
  const poller = pollerOf(server);
  assert.equal(await told(poller), "added mine");
  moved = true;
  assert.equal((await failure(poller)).code, "protocol");
});

test(
  "a redirect to 404 is a removal, and bodies of redirects are not waited for",
  { timeout },
  async (t) => {
    let gone = false;
    const server = await serveRaw(t, (socket, _, head) => {
      if (head.startsWith("GET /gone")) socket.end(answer(404, {}, "no"));
      else if (gone) {
        socket.write(
          "HTTP/1.1 302 Found\r\nLocation: /gone\r\nContent-Length: 1000000\r\n\r\nendless",
        );
      } else socket.write(answer(200, {}, "x"));
    });
    const poller = pollerOf(server);
    assert.equal(await told(poller), "added x");
    gone = true;
    assert.equal(await told(poller), "removed");
    // The one with the endless body is closed, since nobody will read it.
    const at = server.connections.length - 2;
    await server.connections[at]!.closed;
  },
);
