// H6: what is the caller's stays with the caller's origin, whatever way a chain takes.
import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { WebDavStore } from "@koprs/external/stores/webdav";
import { clientOf, errorOf, exchange } from "./_client.ts";
import { serve } from "./_http_server.ts";

const timeout = 10_000;

/** What a caller may send that is nobody else's business. */
const secret: Record<string, string> = {
  "x-api-key": "k3y-value",
  "cookie": "a=b",
  "x-trace": "trace",
  "private-token": "t0ken",
  "proxy-authorization": "Basic abc",
  "from": "me@example.com",
  "referer": "https://inside.example.com/",
};
/** What says nothing of who asks. */
const harmless: Record<string, string> = {
  "accept": "application/vnd.example.v3+json",
  "accept-language": "de, en;q=0.5",
  "accept-encoding": "gzip",
  "cache-control": "no-store",
  "user-agent": "my-operator/1.0",
  "prefer": "return=minimal",
};
const credentials = { headers: { ...secret, ...harmless }, bearerToken: () => "b3arer" };
const seen = (headers: Readonly<Record<string, unknown>>) =>
  Object.keys({ ...secret, authorization: "" }).filter((name) => headers[name] !== undefined);

test(
  "another origin gets what says nothing of who asks, and nothing else",
  { timeout },
  async (t) => {
    const other = await serve(t, (_, response) => response.end("theirs"));
    const server = await serve(t, (_, response) => {
      response.writeHead(302, { location: `${other.origin}/x` }).end();
    });
    const reply = await exchange(clientOf(server, credentials));
    assert.equal(reply.trusted, false);
    assert.deepEqual(seen(other.last.headers), []);
    for (const [name, value] of Object.entries(harmless)) {
      assert.equal(other.last.headers[name], value, name);
    }
    assert.notEqual(other.last.headers.host, server.last.headers.host);
  },
);

test("a Host of the caller's is for its origin alone", { timeout }, async () => {
  const hosts: unknown[] = [];
  const fetch = (_input: unknown, init?: RequestInit) => {
    hosts.push((init?.headers as Record<string, string>)["host"]);
    const headers = { location: "http://other.example/" };
    return Promise.resolve(new Response(null, hosts.length === 1 ? { status: 302, headers } : {}));
  };
  const client = clientOf({ origin: "http://own.example" }, { fetch, headers: { Host: "inside" } });
  await exchange(client);
  assert.deepEqual(hosts, ["inside", undefined]);
});

test("another origin gets the defaults where the caller has no headers", { timeout }, async (t) => {
  const other = await serve(t, (_, response) => response.end("theirs"));
  const server = await serve(t, (_, response) => {
    response.writeHead(302, { location: other.origin }).end();
  });
  await exchange(clientOf(server));
  assert.equal(other.last.headers["cache-control"], "max-age=0");
  assert.equal(other.last.headers["accept-encoding"], "identity");
});

test(
  "a compressed body that was asked for arrives from another origin, too",
  { timeout },
  async (t) => {
    const other = await serve(t, (request, response) => {
      assert.equal(request.headers["accept-encoding"], "gzip");
      response.setHeader("content-encoding", "gzip").end(gzipSync("theirs"));
    });
    const server = await serve(t, (_, response) => {
      response.writeHead(302, { location: other.origin }).end();
    });
    const { body } = await exchange(clientOf(server, { headers: { "Accept-Encoding": "gzip" } }));
    assert.equal(new TextDecoder().decode(body), "theirs");
  },
);

test("an answer tells whether its whole way kept to the origin", { timeout }, async (t) => {
  const other = await serve(t, (request, response) => {
    response.writeHead(302, { location: `${server.origin}/end${request.url}` }).end();
  });
  const server = await serve(t, (request, response) => {
    const { url = "" } = request;
    if (url === "/inside") response.writeHead(302, { location: "/end" }).end();
    else if (url === "/outside") response.writeHead(302, { location: `${other.origin}/x` }).end();
    else response.end("x");
  });
  const trusted = async (path: string) => {
    const reply = await exchange(clientOf(server, credentials, path));
    return [reply.trusted, new URL(reply.url).pathname, seen(server.last.headers).length > 0];
  };
  assert.deepEqual(await trusted("/end"), [true, "/end", true]);
  assert.deepEqual(await trusted("/inside"), [true, "/end", true]);
  assert.deepEqual(
    await trusted("/outside"),
    [false, "/end/x", false],
    "it came home as a stranger",
  );
});

test(
  "what a foreign answer named gets nothing, though it is of the origin",
  { timeout },
  async (t) => {
    const server = await serve(t, (request, response) => {
      if (request.url === "/moved") response.writeHead(302, { location: "/end" }).end();
      else response.writeHead(request.url === "/401" ? 401 : 200).end("x");
    });
    let asked = 0;
    const client = clientOf(server, { ...credentials, bearerToken: () => `t${++asked}` });
    for (const path of ["/end", "/moved", "/401"]) {
      const url = new URL(path, client.url);
      const reply = await exchange(client, { url, trusted: false });
      assert.equal(reply.trusted, false, path);
      assert.deepEqual(seen(server.last.headers), [], path);
      assert.equal(server.last.headers["user-agent"], "my-operator/1.0");
    }
    assert.equal(asked, 0, "no token is asked for which nobody may see");
    const own = await exchange(client, { url: new URL("/end", client.url), trusted: true });
    assert.equal(own.trusted, true);
    assert.equal(server.last.headers.authorization, "Bearer t1");
  },
);

test("a foreign URL gets nothing, even where the caller of the client says it is trusted", {
  timeout,
}, async (t) => {
  const other = await serve(t, (_, response) => response.end("x"));
  const server = await serve(t, (_, response) => response.end("x"));
  const url = new URL(`${other.origin}/`);
  const reply = await exchange(clientOf(server, credentials), { url, trusted: true });
  assert.equal(reply.trusted, false);
  assert.deepEqual(seen(other.last.headers), []);
});

test("a 303 to a request with a body becomes a GET without it, and without its conditions", {
  timeout,
}, async (t) => {
  const bodies: string[] = [];
  const server = await serve(t, async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    bodies.push(body);
    // Where the answer to a PUT is, may be where it was sent to.
    if (request.method === "PUT") response.writeHead(303, { location: "/it" }).end();
    else response.end("here");
  });
  const reply = await exchange(clientOf(server, credentials, "/it"), {
    method: "PUT",
    body: "content",
    headersFor: () => ({ "if-none-match": "*", "content-type": "text/plain" }),
  });
  assert.equal(new TextDecoder().decode(reply.body), "here");
  assert.deepEqual(server.requests.map(({ method, url }) => `${method} ${url}`), [
    "PUT /it",
    "GET /it",
  ]);
  assert.deepEqual(bodies, ["content", ""]);
  const [put, get] = server.requests;
  assert.equal(put?.headers["if-none-match"], "*");
  assert.equal(put?.headers["content-type"], "text/plain");
  for (const name of ["if-none-match", "content-type", "content-length"]) {
    assert.equal(get?.headers[name], undefined, name);
  }
  assert.equal(get?.headers.authorization, "Bearer b3arer");
});

test("a 303 that leads a GET to itself is a loop", { timeout }, async (t) => {
  const server = await serve(t, (_, response) => response.writeHead(303, { location: "/" }).end());
  const error = await errorOf(exchange(clientOf(server)));
  assert.match(error.message, /a redirect loop/);
  assert.equal(server.requests.length, 1);
});

for (const status of [301, 302, 307, 308]) {
  test(
    `a ${status} carries method and body within the origin, and no body out of it`,
    { timeout },
    async (t) => {
      const bodies: string[] = [];
      const other = await serve(t, (_, response) => response.end("theirs"));
      let target = "/there";
      const server = await serve(t, async (request, response) => {
        let body = "";
        for await (const chunk of request) body += chunk;
        bodies.push(`${request.method} ${request.url} ${body}`);
        if (request.url === "/here") response.writeHead(status, { location: target }).end();
        else response.end("done");
      });
      const client = clientOf(server, credentials, "/here");
      const body = new TextEncoder().encode("content");
      await exchange(client, { method: "PUT", body });
      assert.deepEqual(bodies, ["PUT /here content", "PUT /there content"]);
      target = `${other.origin}/x`;
      const error = await errorOf(exchange(client, { method: "PUT", body }));
      assert.equal(error.code, "protocol");
      assert.match(
        error.message,
        /the server redirects a PUT to another origin, http:.*\/x, and its body is not sent there$/,
      );
      assert.equal(other.requests.length, 0);
    },
  );
}

test("a body is not sent home either behind a foreign link", { timeout }, async (t) => {
  const server = await serve(t, (_, response) => response.writeHead(307, { location: "/b" }).end());
  const error = await errorOf(
    exchange(clientOf(server), { method: "PUT", body: "x", trusted: false }),
  );
  assert.match(error.message, /redirects a PUT to another origin/);
  assert.equal(server.requests.length, 1);
});

test("what only asks goes along with its body", { timeout }, async (t) => {
  const other = await serve(t, async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    response.end(`${request.method} ${body}`);
  });
  const server = await serve(t, (_, response) => {
    response.writeHead(307, { location: other.origin }).end();
  });
  const reply = await exchange(clientOf(server), { method: "PROPFIND", body: "<propfind/>" });
  assert.equal(new TextDecoder().decode(reply.body), "PROPFIND <propfind/>");
});

test("a WebDAV put carries its content to no other origin", { timeout }, async (t) => {
  const other = await serve(t, (_, response) => response.writeHead(201).end());
  const server = await serve(t, (_, response) => {
    response.writeHead(307, { location: `${other.origin}/x` }).end();
  });
  const store = new WebDavStore(`${server.origin}/dav/`);
  const error = await errorOf(store.put("key", new TextEncoder().encode("content")));
  assert.equal(error.code, "store");
  assert.match(
    error.message,
    /redirects a PUT to another origin, http:.*, and its body is not sent/,
  );
  assert.equal(other.requests.length, 0);
});
