// What errors say: where it failed, whether credentials were sent, and nothing that a name is to hide.
import assert from "node:assert/strict";
import { test } from "node:test";
import { HttpPoller } from "@koprs/external";
import { clientOf, errorOf, exchange, stream } from "./_client.ts";
import { answer, serve, serveRaw } from "./_http_server.ts";

const timeout = 10_000;
const bearerToken = () => "b3arer";

test(
  "an error names the URL that failed, where it is not the source's own",
  { timeout },
  async (t) => {
    const server = await serveRaw(t, (socket, _, head) => {
      if (head.includes("/cut")) socket.destroy();
      else if (head.includes("/moved")) {
        socket.write(answer(302, { Location: "/cut?token=hunter22&page=3" }));
      } else if (head.includes("/slow")) return;
      else if (head.includes("/large")) socket.write(answer(200, {}, "x".repeat(100)));
      else if (head.includes("/coded")) {
        socket.write(answer(200, { "Content-Encoding": "zorp" }, "x"));
      } else if (head.includes("/loop")) socket.write(answer(302, { Location: "/loop" }));
      else socket.write(answer(503, {}, "busy"));
    });
    const { origin } = server;
    const client = clientOf(server, { maxBytes: 10 }, "/items");
    const hasty = clientOf(server, { timeout: 150 }, "/items");
    const message = async (path: string) => {
      const url = new URL(path, client.url);
      const { code, message } = await errorOf(exchange(path === "/slow" ? hasty : client, { url }));
      assert(message.startsWith(`Cannot poll '${origin}/items': `), message);
      return `${code} ${message.slice(`Cannot poll '${origin}/items': `.length)}`;
    };
    const at = `at ${origin}`;
    assert(
      (await message("/items?page=2&sig=hunter22/cut")).startsWith(
        `network ${at}/items?page=2&sig=***: `,
      ),
    );
    assert((await message("/moved")).startsWith(`network ${at}/cut?token=***&page=3: `));
    assert.equal(
      await message("/slow"),
      `timeout ${at}/slow: no complete answer within 150 ms; see 'timeout'`,
    );
    assert(
      (await message("/large")).startsWith(`too-large ${at}/large: a body of more than 10 bytes`),
    );
    assert((await message("/coded")).startsWith(`protocol ${at}/coded: a body in the unknown`));
    assert.equal(
      await message("/loop"),
      `protocol ${at}/loop: a redirect loop through ${origin}/loop`,
    );

    const reply = await exchange(client, { url: new URL("/busy", client.url) });
    const busy = client.statusError(reply.status, reply.headers, reply);
    assert.equal(
      busy.message,
      `Cannot poll '${origin}/items': ${at}/busy: the server answered 503`,
    );
    const own = await exchange(client);
    const ownBusy = client.statusError(own.status, own.headers, own);
    assert.equal(ownBusy.message, `Cannot poll '${origin}/items': the server answered 503`);
  },
);

test("an error names what failed in a stream as well", { timeout }, async (t) => {
  const server = await serve(t, (_, response) => response.writeHead(500).end());
  const client = clientOf(server);
  const { message } = await errorOf(stream(client, { url: new URL("/key", client.url) }));
  assert.equal(
    message,
    `Cannot poll '${server.origin}/': at ${server.origin}/key: the server answered 500`,
  );
});

for (const status of [401, 403]) {
  test(
    `a ${status} of another origin says that no credentials were sent`,
    { timeout },
    async (t) => {
      const other = await serve(t, (_, response) => response.writeHead(status).end());
      const server = await serve(t, (request, response) => {
        if (request.url === "/own") response.writeHead(status).end();
        else response.writeHead(302, { location: `${other.origin}/x` }).end();
      });
      const message = async (options: Parameters<typeof clientOf>[1], path = "/") => {
        const client = clientOf(server, options, path);
        const reply = await exchange(client);
        return client.statusError(reply.status, reply.headers, reply).message;
      };
      const none = /: no credentials were sent, as a redirect or link had led to another origin$/;
      assert.match(await message({ bearerToken }), none);
      assert.match(await message({ headers: { "X-Api-Key": "k3y-value" } }), none);
      assert.doesNotMatch(await message({ headers: { "Accept": "text/plain" } }), none);
      assert.doesNotMatch(await message({}), none);
      assert.match(await message({ bearerToken }, "/own"), /answered 40[13]: check /);
    },
  );
}

test("a name of one's own hides a path that is secret", { timeout }, async (t) => {
  const server = await serveRaw(t, (socket, _, head) => {
    if (head.includes("page")) socket.write(answer(503, {}));
    else socket.destroy();
  });
  const path = "/hooks/hunter22/x";
  const shown = async (options: { name?: string }, more: string) => {
    const client = clientOf(server, options, path);
    const url = new URL(path + more, client.url);
    const error = await exchange(client, { url }).then(
      (reply) => client.statusError(reply.status, reply.headers, reply),
      (thrown) => thrown,
    );
    return `${error.message} ${error.stack} ${error.cause?.message} ${error.cause?.stack}`;
  };
  for (const more of ["", "?page=2", "/page/2"]) {
    assert(!(await shown({ name: "hook" }, more)).includes("hunter22"), more);
    assert((await shown({}, more)).includes("hunter22"), "without a name the path is the name");
  }
  const fetch = (input: unknown) =>
    Promise.reject(new TypeError(`error sending request for url (${input})`));
  const client = clientOf({ origin: "http://own.example" }, { fetch, name: "hook" }, path);
  const error = await errorOf(exchange(client));
  assert.equal(
    error.message,
    "Cannot poll 'hook': error sending request for url (http://***)",
  );
  assert(!`${(error.cause as Error).message} ${(error.cause as Error).stack}`.includes("hunter22"));
  assert.match(
    await shown({ name: "hook" }, "?page=2"),
    /at http:\/\/127\.0\.0\.1:\d+\/…\?page=2: /,
  );
});

test("a secret is not shown encoded either", { timeout }, async () => {
  const headers = { "X-Api-Key": 'k3y "value" \\ /?' };
  for (const encode of [JSON.stringify, encodeURIComponent, encodeURI, String]) {
    const shown = encode(headers["X-Api-Key"]);
    const fetch = () => Promise.reject(new Error(`cannot send ${shown}`));
    const client = clientOf({ origin: "http://own.example" }, { fetch, headers });
    const { message } = await errorOf(exchange(client));
    assert.match(message, /cannot send "?\*\*\*"?$/);
  }
});

const password = "hunter22";
const invalid = [
  `http://user:${password}`,
  `http://user:${password}/`,
  `http://user:${password}@`,
  `http://user:${password}@:80/`,
  `http://user:${password}@host:port/`,
  `http://user:${password}@host:99999/`,
  `http://user:${password}@[::1/`,
  `http://user:${password}@ho st/`,
  `http://user:${password}#@host/`,
  `http://user:#${password}@host/`,
  `http://user:?${password}@host/`,
  `http://user:/${password}@host/`,
  `http://user:a@${password}@h st/`,
  `http://user:\\${password}@host/`,
  `http:\\\\user:${password}@[`,
  `http:user:${password}@h st`,
  `http://user:hun\tter22\n@h st/${password}`,
  `ht\ntp://user:${password}@h st/`,
  ` \thttp://user:${password}@h st/`,
  `HTTP://user:${password}@h%00st/`,
  `http://user%3A${password}%40host/`,
  `http://user%3A${password}%40h%20ost/`,
  `http://user:${password}\uff20host/`,
  `http://user\uff1a${password}\uff20host/`,
  `user:${password}@host`,
  `user:${password}@host/path`,
  `//user:${password}@host/`,
  `user@host:${password}`,
  `${password}@host`,
  `://user:${password}@host/`,
  `http//user:${password}@host/`,
  `https://host:${password}@/`,
  `postgres://user:${password}@host/`,
  `foo:/user:${password}@host/`,
  `foo:user:${password}@host`,
  `mailto:${password}@host`,
  `data:text/plain,${password}`,
];
for (const url of invalid) {
  test(`no part of a password in the error of ${JSON.stringify(url)}`, () => {
    for (const form of [url, { toString: () => url }]) {
      assert.throws(() => new HttpPoller(form as string), (error) => {
        assert(error instanceof TypeError);
        const text = `${error.message} ${error.stack?.split("\n")[0]} ${error.cause}`;
        assert(!/hun|ter22/.test(text), text);
        assert.match(error.message, /^Cannot poll [^\p{Cc}]*[^.]$/u);
        return true;
      });
    }
  });
}

test("the error of an invalid URL says what may be shown of it, and what to do", () => {
  const message = (url: unknown) => {
    try {
      return void new HttpPoller(url as string);
    } catch (error) {
      return (error as Error).message;
    }
  };
  assert.equal(message("example.com/x"), "Cannot poll as the URL is invalid: 'example.com/x'");
  assert.match(
    message("http://u:p@h h/") ?? "",
    /^Cannot poll as the URL is invalid: 'http:\/\/…': if '#'/,
  );
  assert.equal(
    message("ftp://u:p@h/a?token=b"),
    "Cannot poll 'ftp://h/a?token=***' as the URL must be http or https: it is ftp:",
  );
  assert.equal(
    message("user:pass@host"),
    "Cannot poll as the URL must be http or https, and begin with 'http://' or 'https://'",
  );
  assert.equal(
    message("data:text/plain,x"),
    "Cannot poll as the URL must be http or https: it is data:",
  );
  assert.equal(message(Symbol("x")), "Cannot poll as the URL is invalid: it is of type symbol");
  assert.equal(message(undefined), "Cannot poll as the URL is invalid: it is of type undefined");
  new HttpPoller("http://localhost:8080/users/@me?mail=a@b#c@d"); // Nothing is wrong with these.
  assert.match(
    message({
      toString: () => {
        throw new Error("x");
      },
    }) ?? "",
    /^Cannot poll as the URL is invalid/,
  );
});
