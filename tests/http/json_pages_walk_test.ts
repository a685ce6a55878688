// jsonPages: from page to page, to the end or not at all.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ExternalError, jsonPages } from "@koprs/external";
import type { JsonPage, JsonPagesOptions } from "@koprs/external/collection";
import { answer, send, serve, serveRaw } from "./_http_server.ts";
import { failure, ids, type Item, itemsOf, servePages, told } from "./_json_pages.ts";

const timeout = 10_000;

test("the items of all pages, as they come and go", { timeout }, async (t) => {
  const api = await servePages(t, [ids(1, 2), ids(3), ids(4)]);
  const poller = itemsOf(api);
  assert.equal(await told(poller), "added 1, added 2, added 3, added 4");
  assert.equal(api.asked(), "1 2 3");
  assert.equal(await told(poller), "");
  api.pages = [ids(1, 2), ids(3, 5)];
  assert.equal(await told(poller), "removed 4, added 5");
  api.pages = [ids(2)];
  assert.equal(await told(poller), "removed 1, removed 3, removed 5");
  api.pages = [[]];
  assert.equal(await told(poller), "removed 2");
  api.pages = [[], ids(1), []];
  assert.equal(await told(poller), "added 1");
});

test("a page is asked for when the one before it was taken", { timeout }, async (t) => {
  const api = await servePages(t, [ids(1), ids(2), ids(3)]);
  const list = jsonPages<Item>(`${api.origin}/items`)({ signal: new AbortController().signal });
  const pages = list[Symbol.asyncIterator]();
  assert.equal(api.requests.length, 0);
  assert.deepEqual(await pages.next(), { done: false, value: ids(1) });
  assert.equal(api.requests.length, 1);
  assert.deepEqual(await pages.next(), { done: false, value: ids(2) });
  await pages.return?.();
  assert.equal(api.requests.length, 2, "a walk that is left asks for no more");
});

for (const status of [404, 410]) {
  for (const gone of [1, 2, 3]) {
    test(`page ${gone} that answers ${status} removes nothing`, { timeout }, async (t) => {
      const api = await servePages(t, [ids(1), ids(2), ids(3)]);
      const poller = itemsOf(api);
      await told(poller);
      api.intercept = (page, _, response) => page === gone && !!response.writeHead(status).end();
      const error = await failure(poller);
      assert.equal(error.code, "status");
      assert.equal(error.status, status);
      assert.match(
        error.message,
        new RegExp(`the server answered ${status}.* \\(page ${gone}\\)$`),
      );
      api.intercept = () => false;
      assert.equal(await told(poller), "");
    });
  }
}

test("a link that leads back fails the walk", { timeout }, async (t) => {
  for (const back of ["/items", "/items?page=2", "?page=3", "", "#top", "https://me:pw@x/"]) {
    const api = await servePages(t, [ids(1), ids(2), ids(3)]);
    const target = back.replace("https://me:pw@x/", `//me:pw@${api.origin.slice(7)}/items`);
    api.intercept = (page, _, response) =>
      page === 3 &&
      !!response.setHeader("link", `<${target}>; rel=next`).writeHead(200).end("[]");
    const error = await failure(itemsOf(api));
    assert.equal(error.code, "protocol", back);
    assert.match(error.message, /: at http.*: the pages lead back to http.* \(page 3\)$/);
    assert.equal(api.requests.length, 3);
  }
});

test("a walk of more than `maxPages` pages fails", { timeout }, async (t) => {
  const api = await servePages(t, [ids(1), ids(2), ids(3)]);
  assert.equal(await told(itemsOf(api, { maxPages: 3 })), "added 1, added 2, added 3");
  const before = api.requests.length;
  const error = await failure(itemsOf(api, { maxPages: 2 }));
  assert.equal(error.code, "protocol");
  assert.match(error.message, /: at http.*: more than 2 pages; see 'maxPages' \(page 2\)$/);
  assert.equal(api.requests.length, before + 2);
});

test(
  "pages without end fail at `maxPages`, 10,000 unless it is given",
  { timeout: 60_000 },
  async () => {
    let requests = 0;
    const list = jsonPages<Item>("http://localhost/0", {
      fetch: () =>
        Promise.resolve(new Response("[]", { headers: { link: `</${++requests}>; rel=next` } })),
    });
    await assert.rejects(async () => {
      for await (const _page of list({ signal: new AbortController().signal }));
    }, /more than 10000 pages/);
    assert.equal(requests, 10_000);
  },
);

test("`items` and `next` read what the API puts into its body", { timeout }, async (t) => {
  const bodies: Record<string, unknown> = {
    "/items": { list: ids(1), next: "more?cursor=a%2Fb" },
    "/more?cursor=a%2Fb": { list: ids(2), next: "/last" },
    "/last": { list: ids(3) },
  };
  const server = await serve(
    t,
    ({ url = "" }, response) =>
      send(response, { body: JSON.stringify(bodies[url]), headers: { "x-page": url } }),
  );
  type Body = { list: Item[]; next?: string };
  const pages: JsonPage[] = [];
  const options: JsonPagesOptions<Item> = {
    items: (page) => (page.body as Body).list,
    next(page) {
      pages.push(page);
      return (page.body as Body).next;
    },
  };
  assert.equal(await told(itemsOf(server, options)), "added 1, added 2, added 3");
  assert.deepEqual(pages.map(({ url }) => url.slice(server.origin.length)), Object.keys(bodies));
  assert.deepEqual(pages.map(({ body }) => body), Object.values(bodies));
  assert.deepEqual(pages.map(({ headers }) => headers.get("x-page")), Object.keys(bodies));
});

test("`next` ends a walk by undefined, null and an empty string", { timeout }, async (t) => {
  const api = await servePages(t, [ids(1), ids(2)]);
  for (const end of [undefined, null, ""]) {
    assert.equal(await told(itemsOf(api, { next: () => end })), "added 1");
    const once = ({ url }: JsonPage) => url.endsWith("?page=2") ? end : new URL("?page=2", url);
    assert.equal(await told(itemsOf(api, { next: once })), "added 1, added 2");
  }
});

test("`next` that gives anything else fails the walk", { timeout }, async (t) => {
  const api = await servePages(t, [ids(1), ids(2)]);
  const cases: [unknown, string, RegExp][] = [
    [7, "invalid", /'next' gave a number, no string and no URL/],
    [0, "invalid", /a number/],
    [false, "invalid", /a boolean/],
    [{ href: "/items?page=2" }, "invalid", /an object/],
    [Promise.resolve("/items?page=2"), "invalid", /a Promise/],
    ["http://", "protocol", /not a URL/],
    ["file:///etc/passwd", "protocol", /leads to file:/],
    [new URL("data:application/json,[]"), "protocol", /leads to data:/],
  ];
  for (const [target, code, message] of cases) {
    const error = await failure(itemsOf(api, { next: () => target as string }));
    assert.equal(error.code, code);
    assert.match(error.message, message);
    assert.match(error.message, /\(page 1\)$/);
  }
});

test(
  "`items` that gives no array, and a body that is none, fail the walk",
  { timeout },
  async (t) => {
    const api = await servePages(t, [ids(1), ids(2)]);
    const given = [undefined, null, "text", new Set(), {}, Promise.resolve([])];
    for (const items of given) {
      const error = await failure(itemsOf(api, { items: () => items as unknown as Item[] }));
      assert.equal(error.code, "invalid");
      assert.match(error.message, /'items' gave .*, no array \(page 1\)$/);
    }
    for (const body of ["{}", "null", "7", '"text"', "true"]) {
      api.intercept = (page, _, response) => page === 2 && !!response.writeHead(200).end(body);
      const error = await failure(itemsOf(api));
      assert.equal(error.code, "invalid");
      assert.match(
        error.message,
        /the body is not an array: name the one inside it with 'items' \(page 2\)$/,
      );
    }
  },
);

test(
  "what `items` and `next` throw fails the walk, with what they threw",
  { timeout },
  async (t) => {
    const api = await servePages(t, [ids(1), ids(2)]);
    const cause = new RangeError("no cursor");
    const thrower = () => {
      throw cause;
    };
    for (const option of ["items", "next"]) {
      const error = await failure(itemsOf(api, { [option]: thrower }));
      assert.equal(error.code, "invalid");
      assert(error.message.includes(`'${option}' failed: no cursor (page 1)`), error.message);
      assert(error.cause instanceof Error);
      assert.equal(error.cause.message, "no cursor");
    }
  },
);

test(
  "a `Link` that is not understood fails the walk, and removes nothing",
  { timeout },
  async (t) => {
    const api = await servePages(t, [ids(1), ids(2)]);
    const poller = itemsOf(api);
    await told(poller);
    for (
      const link of ["/items?page=2; rel=next", "<https://[>; rel=next", "next", "<?page=2>; rel"]
    ) {
      api.intercept = (page, _, response) =>
        page === 1 && !!response.setHeader("link", link).writeHead(200).end(JSON.stringify(ids(1)));
      const error = await failure(poller);
      assert.equal(error.code, "protocol", link);
      assert.match(
        error.message,
        /: the 'Link' header is not understood, .*; see 'next' \(page 1\)$/,
      );
    }
    api.intercept = () => false;
    assert.equal(await told(poller), "");
  },
);

test("several `Link` fields are one", { timeout }, async (t) => {
  const api = await servePages(t, [ids(1), ids(2)]);
  api.intercept = (page, _, response) => {
    if (page !== 1) return false;
    response.setHeader("link", ['<?page=9>; rel="last"; title="a, b"', "<?page=2>; rel='next'"]);
    response.end(JSON.stringify(ids(1)));
    return true;
  };
  assert.equal(await told(itemsOf(api)), "added 1, added 2");
});

test("a `Link` in UTF-8 is followed as such, any other byte by byte", { timeout }, async (t) => {
  const utf8 = (text: string) => String.fromCharCode(...new TextEncoder().encode(text));
  const targets: [bytes: string, path: string][] = [
    [utf8("/b\u00fccher?\u5b57=1"), "/b%C3%BCcher?%E5%AD%97=1"],
    [utf8("/\u{1f600}"), "/%F0%9F%98%80"],
    ["/b\xfccher", "/b%FCcher"],
  ];
  for (const [bytes, path] of targets) {
    const server = await serveRaw(t, (socket, nth, head) => {
      const [, asked = ""] = head.split(" ");
      const headers: Record<string, string> = nth === 1 ? { Link: `<${bytes}>; rel="next"` } : {};
      const body = JSON.stringify(ids(nth));
      socket.write(answer(nth === 1 || asked === path ? 200 : 404, headers, body), "latin1");
    });
    assert.equal(await told(itemsOf(server)), "added 1, added 2");
  }
});

test(
  "links are relative to the page that answered, behind its redirects",
  { timeout },
  async (t) => {
    const server = await serve(t, ({ url }, response) => {
      if (url === "/items") send(response, { status: 302, headers: { location: "/v2/items" } });
      else if (url === "/v2/items") {
        send(response, {
          body: JSON.stringify(ids(1)),
          headers: { link: "<items?page=2>; rel=next" },
        });
      } else if (url === "/v2/items?page=2") send(response, { body: JSON.stringify(ids(2)) });
      else send(response, { status: 404 });
    });
    assert.equal(await told(itemsOf(server)), "added 1, added 2");
  },
);

test(
  "an abort reaches the server, and its reason the caller, untouched",
  { timeout },
  async (t) => {
    const reason = { why: "any value" };
    const aborter = new AbortController();
    const api = await servePages(t, [ids(1), ids(2)]);
    const closed = Promise.withResolvers<void>();
    api.intercept = (page, request) => {
      if (page !== 2) return false;
      request.socket.once("close", closed.resolve);
      aborter.abort(reason);
      return true;
    };
    const poller = itemsOf(api);
    await assert.rejects(told(poller, aborter.signal), (error) => error === reason);
    await closed.promise;
    await assert.rejects(told(poller, aborter.signal), (error) => error === reason);
    assert.equal(api.requests.length, 2, "an aborted signal makes no request");
  },
);

test("a reason that is an error of this package is untouched, too", { timeout }, async (t) => {
  const reason = new ExternalError("timeout", "Cannot poll 'items': it took too long");
  const aborter = new AbortController();
  const api = await servePages(t, [ids(1)]);
  api.intercept = () => (aborter.abort(reason), true);
  const list = jsonPages(`${api.origin}/items`)({ signal: aborter.signal });
  const pages = list[Symbol.asyncIterator]();
  await assert.rejects(pages.next(), (error) => error === reason);
});

test("misuse throws from jsonPages itself", () => {
  const url = "https://example.com/";
  const bad: [unknown, Record<string, unknown>, typeof TypeError | typeof RangeError, RegExp][] = [
    ["example.com", {}, TypeError, /URL is invalid/],
    ["ftp://example.com", {}, TypeError, /must be http or https/],
    [url, { maxPages: NaN }, RangeError, /'maxPages' must be a whole number above zero: .* NaN$/],
    [url, { maxPages: 0 }, RangeError, /'maxPages'/],
    [url, { maxPages: -1 }, RangeError, /'maxPages'/],
    [url, { maxPages: 1.5 }, RangeError, /'maxPages'/],
    [url, { maxPages: Infinity }, RangeError, /'maxPages'/],
    [
      url,
      { maxPages: "10" },
      TypeError,
      /'maxPages' must be a number: current value is of type string/,
    ],
    [url, { maxPages: 10n }, TypeError, /'maxPages'/],
    [
      url,
      { items: "data" },
      TypeError,
      /'items' must be a function: current value is of type string/,
    ],
    [url, { items: null }, TypeError, /'items'/],
    [url, { next: "next" }, TypeError, /'next'/],
    [url, { next: {} }, TypeError, /'next'/],
    [url, { parse: "json" }, TypeError, /'parse'/],
    [url, { name: "" }, TypeError, /'name'/],
    [url, { name: "a\nb" }, TypeError, /'a\\nb' as 'name' must be one line of plain text/],
    [url, { name: 7 }, TypeError, /'name'/],
    [url, { timeout: 0 }, RangeError, /'timeout'/],
    [url, { maxBytes: -1 }, RangeError, /'maxBytes'/],
    [url, { bearerToken: "" }, TypeError, /'bearerToken'/],
    [url, { headers: { "If-None-Match": "*" } }, TypeError, /if-none-match/],
  ];
  for (const [target, options, kind, message] of bad) {
    assert.throws(() => jsonPages(target as string, options), (error) => {
      assert(error instanceof kind, `${JSON.stringify(Object.keys(options))}: ${error}`);
      assert.match(error.message, /^Cannot poll .*[^.]$/);
      assert.match(error.message, message);
      return true;
    });
  }
  jsonPages(url, { maxPages: 1, items: undefined, next: undefined, parse: undefined } as object);
});
