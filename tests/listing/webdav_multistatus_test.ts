import { ExternalError } from "@koprs/external/error";
import type { ObjectMeta } from "@koprs/external/store";
import { WebDavStore, type WebDavStoreOptions } from "@koprs/external/stores/webdav";
import fc from "fast-check";
import assert from "node:assert/strict";
import { test } from "node:test";
import { type DavResource, parseMultistatus } from "../../_listing/multistatus.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const parse = (xml: string) => parseMultistatus(encode(xml));

/** As servers write it, in their ways. */
const APACHE = `<?xml version="1.0" encoding="utf-8"?>
<D:multistatus xmlns:D="DAV:" xmlns:ns0="http://apache.org/dav/props/">
<D:response xmlns:lp1="DAV:" xmlns:lp2="http://apache.org/dav/props/">
<D:href>/dav/</D:href>
<D:propstat>
<D:prop>
<lp1:resourcetype><D:collection/></lp1:resourcetype>
<lp1:getlastmodified>Tue, 14 Nov 2023 22:13:20 GMT</lp1:getlastmodified>
<lp1:getetag>"1000-60a"</lp1:getetag>
</D:prop>
<D:status>HTTP/1.1 200 OK</D:status>
</D:propstat>
<D:propstat>
<D:prop><D:getcontentlength/></D:prop>
<D:status>HTTP/1.1 404 Not Found</D:status>
</D:propstat>
</D:response>
<D:response xmlns:lp1="DAV:" xmlns:lp2="http://apache.org/dav/props/">
<D:href>/dav/a%20b%26.txt</D:href>
<D:propstat>
<D:prop>
<lp1:resourcetype/>
<lp1:getcontentlength>5</lp1:getcontentlength>
<lp2:executable>F</lp2:executable>
<lp1:getetag>"5-60a"</lp1:getetag>
</D:prop>
<D:status>HTTP/1.1 200 OK</D:status>
</D:propstat>
</D:response>
</D:multistatus>
`;

test("multistatus: properties of any prefix, only those with a success", () => {
  assert.deepEqual(parse(APACHE), [
    {
      href: "/dav/",
      folder: true,
      modified: "Tue, 14 Nov 2023 22:13:20 GMT",
      etag: '"1000-60a"',
    },
    { href: "/dav/a%20b%26.txt", folder: false, length: "5", etag: '"5-60a"' },
  ]);
});

test("multistatus: an element of another namespace is another element", () => {
  const xml = `<multistatus xmlns="DAV:" xmlns:o="other"><response><href>/a</href>
    <propstat><prop><o:getetag>"no"</o:getetag><resourcetype><o:collection/></resourcetype>
      <lock><getetag>"no"</getetag></lock></prop>
    <status>HTTP/1.1 200 OK</status></propstat><o:status>HTTP/1.1 500 No</o:status>
  </response><sync-token>x</sync-token></multistatus>`;
  assert.deepEqual(parse(xml), [{ href: "/a", folder: false }]);
});

test("multistatus: a status in place of properties, for one or more", () => {
  const xml = `<d:multistatus xmlns:d='DAV:'><d:response><d:href>/a</d:href><d:href>/b</d:href>
    <d:status>HTTP/1.1 423 Locked</d:status></d:response></d:multistatus>`;
  assert.deepEqual(parse(xml), [
    { href: "/a", folder: false, status: 423 },
    { href: "/b", folder: false, status: 423 },
  ]);
});

test("multistatus: references, CDATA, comments and instructions", () => {
  const xml = `\ufeff<?xml version='1.0' encoding='UTF-8'?><!-- <a> --><?x ?>
  <multistatus xmlns="DA&#86;:"><response><href> /&lt;&#x1F600;&#233;<![CDATA[&amp;<]]>&amp;lt;<!-- x --></href>
  <propstat><prop/><status>HTTP/1.1 200 OK</status></propstat></response></multistatus><!-- end -->`;
  assert.deepEqual(parse(xml), [{ href: "/<\u{1f600}é&amp;<&lt;", folder: false }]);
});

test("multistatus: what is not a whole document is an error", () => {
  const wrap = (inner: string) => `<multistatus xmlns="DAV:">${inner}</multistatus>`;
  const cases: Record<string, string> = {
    empty: "",
    blank: " \n",
    text: "Not found",
    html: "<html><body></body></html>",
    "another namespace": "<multistatus/>",
    doctype: `<!DOCTYPE x [<!ENTITY a "b">]>${wrap("")}`,
    "a second root": wrap("") + wrap(""),
    "text behind": `${wrap("")}x`,
    "crossed tags": wrap("<response><href></response></href>"),
    "unknown entity": wrap("<response>&nbsp;</response>"),
    "bare ampersand": wrap("<response>a & b</response>"),
    "forbidden character": wrap("&#0;"),
    "unbound prefix": wrap("<x:y/>"),
    "an attribute twice": wrap('<a b="" b=""/>'),
    "an attribute without quotes": wrap("<a b=c/>"),
    "no href": wrap("<response><status>HTTP/1.1 404 Not Found</status></response>"),
    "no properties": wrap("<response><href>/a</href></response>"),
    "no propstat status": wrap("<response><href>/a</href><propstat><prop/></propstat></response>"),
    "odd status": wrap("<response><href>/a</href><status>OK</status></response>"),
    deep: wrap("<a>".repeat(200) + "</a>".repeat(200)),
    latin1: `<?xml version="1.0" encoding="iso-8859-1"?>${wrap("")}`,
  };
  for (const [name, xml] of Object.entries(cases)) {
    assert.throws(() => parse(xml), SyntaxError, name);
  }
  assert.throws(() => parseMultistatus(Uint8Array.of(0x3c, 0xff)), /not UTF-8/);
  assert.deepEqual(parse(wrap("")), []);
});

test("multistatus: every cut is an error", () => {
  const whole = encode(APACHE.trimEnd());
  for (let length = 0; length < whole.length; length++) {
    assert.throws(() => parseMultistatus(whole.subarray(0, length)), SyntaxError, `${length}`);
  }
});

test("multistatus: reads what any writer wrote", () => {
  const text = fc.string({ unit: "grapheme", maxLength: 20 })
    // deno-lint-ignore no-control-regex -- those that XML cannot hold
    .map((text) => text.replace(/[\u0000-\u001f\ufffe\uffff]|\p{Cs}/gu, "").trim());
  const resource = fc.record({
    href: text.map((text) => `/${text}`),
    folder: fc.boolean(),
    etag: fc.option(text.filter((text) => text !== ""), { nil: undefined }),
    length: fc.option(fc.nat().map(String), { nil: undefined }),
  });
  const style = fc.record({
    prefix: fc.constantFrom("", "D:", "d:", "ns0:"),
    write: fc.constantFrom(escapeAll, escapeSome, asCdata),
    gap: fc.constantFrom("", "\n  ", "<!-- <href> -->", "<?pi <href> ?>"),
    quote: fc.constantFrom('"', "'"),
  });
  fc.assert(fc.property(fc.array(resource), style, (resources, style) => {
    const expected = resources.map(({ href, folder, etag, length }) => ({
      href,
      folder,
      ...(etag !== undefined && { etag }),
      ...(length !== undefined && { length }),
    }));
    assert.deepEqual(parse(writeXml(expected, style)), expected);
  }));
});

interface Style {
  prefix: string;
  write: (text: string) => string;
  gap: string;
  quote: string;
}

function writeXml(resources: readonly DavResource[], { prefix, write, gap, quote }: Style): string {
  const tag = (name: string, inner: string) => `<${prefix}${name} >${inner}</${prefix}${name}\n>`;
  const xmlns = prefix === "" ? "xmlns" : `xmlns:${prefix.slice(0, -1)}`;
  const ok = tag("status", "HTTP/1.1 200 OK");
  const responses = resources.map(({ href, folder, etag, length }) => {
    const type = tag("resourcetype", folder ? `<${prefix}collection/>` : "");
    const rest = (etag === undefined ? "" : tag("getetag", write(etag))) + gap +
      (length === undefined ? "" : tag("getcontentlength", length));
    return tag(
      "response",
      gap + tag("href", write(href)) + tag("propstat", tag("prop", type + rest) + ok),
    );
  });
  return `<${prefix}multistatus ${xmlns} = ${quote}DAV:${quote}>${gap}${
    responses.join(gap)
  }</${prefix}multistatus>${gap}`;
}

function escapeAll(text: string): string {
  return Array.from(text, (char) => `&#x${char.codePointAt(0)?.toString(16)};`).join("");
}

function escapeSome(text: string): string {
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&#62;");
}

function asCdata(text: string): string {
  return `<![CDATA[${text.replace(/]]>/g, "]]]]><![CDATA[>")}]]>`;
}

// Answers that no server at hand gives. `answers` maps a path to the hrefs a PROPFIND of it names.

type Answer = number | string | readonly string[];

const file = (href: string, etag = '"1"') =>
  `<response><href>${href}</href><propstat><prop><resourcetype/><getcontentlength>1</getcontentlength>${
    etag === "" ? "" : `<getetag>${etag}</getetag>`
  }</prop><status>HTTP/1.1 200 OK</status></propstat></response>`;
const folder = (href: string) =>
  `<response><href>${href}</href><propstat><prop><resourcetype><collection/></resourcetype></prop>
  <status>HTTP/1.1 200 OK</status></propstat></response>`;
const multistatus = (...responses: string[]) =>
  `<multistatus xmlns="DAV:">${responses.join("")}</multistatus>`;

function storeOf(
  answers: Record<string, Answer | readonly Answer[]>,
  options: WebDavStoreOptions = {},
): { store: WebDavStore; requests: string[] } {
  const requests: string[] = [];
  const fetch = (input: URL | RequestInfo): Promise<Response> => {
    const { pathname } = new URL(String(input));
    requests.push(pathname);
    let answer = answers[pathname] ?? 404;
    // A list of answers is given one by one, the last one again and again.
    if (Array.isArray(answer)) answer = answer.length > 1 ? answer.shift() : answer[0];
    const init = { status: typeof answer === "number" ? answer : 207 };
    return Promise.resolve(new Response(typeof answer === "number" ? null : String(answer), init));
  };
  return { store: new WebDavStore("http://localhost/dav/", { fetch, ...options }), requests };
}

async function list(store: WebDavStore, prefix = ""): Promise<ObjectMeta[]> {
  return (await Array.fromAsync(store.list({ prefix }))).flat();
}

async function keysOf(answers: Record<string, Answer | readonly Answer[]>): Promise<string[]> {
  return (await list(storeOf(answers).store)).map(({ key }) => key);
}

function isStoreError(wanted: RegExp, status?: number): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof ExternalError, String(error));
    assert.equal(error.code, "store", error.message);
    assert.equal(error.status, status);
    assert.match(error.message, wanted);
    assert.match(error.message, /^Cannot (list|get|put)/);
    return true;
  };
}

test("WebDAV: hrefs in any form name the same things", async () => {
  const self = ["/dav/", "/dav", "http://localhost/dav/", "https://inner:8443/dav", "/%64av/"];
  for (const href of self) {
    assert.deepEqual(
      await keysOf({ "/dav/": multistatus(folder(href), file("/dav/a")) }),
      ["a"],
      href,
    );
  }
  const files: Record<string, string> = {
    "/dav/a%20b": "a b",
    "http://other/dav/%c3%a9": "é",
    "/dav/\u00e9": "é",
    "/dav/u%CC%88": "u\u0308",
    "/dav/%25": "%",
    "/dav/%252F": "%2F",
    "/dav/p+q": "p+q",
    "/dav/%3F%23": "?#",
    "/dav/&amp;amp;": "&amp;",
    "/dav/...": "...",
    "/dav/__proto__": "__proto__",
  };
  for (const [href, key] of Object.entries(files)) {
    assert.deepEqual(
      await keysOf({ "/dav/": multistatus(folder("/dav/"), file(href)) }),
      [key],
      href,
    );
  }
});

test("WebDAV: a href that leaves its key in doubt, or is outside, fails the listing", async () => {
  const hrefs: Record<string, RegExp> = {
    "/other/a": /outside/,
    "/": /outside/,
    "/dav/sub/a": /outside/, // an answer of depth infinity
    "/dav/a%2Fb": /no key is exact/,
    "/dav/%2e%2e": /no key is exact/,
    "/dav/..": /no key is exact/,
    "/dav/.": /no key is exact/,
    "/dav/%ff": /not encoded as UTF-8/,
    "/dav/100%": /not encoded as UTF-8/,
    "/dav/a?b": /no path/,
    "/dav/a#b": /no path/,
    "a": /no path/,
    "": /no path/,
  };
  for (const [href, wanted] of Object.entries(hrefs)) {
    const answers = { "/dav/": multistatus(folder("/dav/"), file("/dav/z"), file(href)) };
    await assert.rejects(keysOf(answers), isStoreError(wanted), href);
  }
});

test("WebDAV: an answer that is no whole listing fails it", async () => {
  const answers: [Answer, RegExp, number?][] = [
    [multistatus(), /but not the folder/],
    [multistatus(file("/dav/a")), /but not the folder/],
    [multistatus(file("/dav/")), /a file, not a folder/],
    [multistatus(folder("/dav/"), file("/dav/a")).slice(0, -5), /no whole listing/],
    ["<html></html>", /no DAV multistatus/],
    [200, /answered 200, not 207/],
    [204, /answered 204/],
    [401, /answered 401/, 401],
    [403, /answered 403/, 403],
    [404, /answered 404/, 404],
    [405, /answered 405/, 405],
    [503, /answered 503/, 503],
    [
      multistatus(
        folder("/dav/"),
        "<response><href>/dav/a</href><status>HTTP/1.1 403 Forbidden</status></response>",
      ),
      /answered 403 for "\/dav\/a"/,
      403,
    ],
  ];
  for (const [answer, wanted, status] of answers) {
    await assert.rejects(keysOf({ "/dav/": answer }), isStoreError(wanted, status), String(answer));
    // Below the root, a folder that is missing or a file by now may have vanished: see the next test.
    if (answer === 404 || wanted.source.startsWith("a file")) continue;
    const below = { "/dav/": multistatus(folder("/dav/"), folder("/dav/sub/")) };
    const inner = typeof answer === "string" ? answer.replaceAll("/dav/", "/dav/sub/") : answer;
    await assert.rejects(
      keysOf({ ...below, "/dav/sub/": inner }),
      isStoreError(/Cannot list 'sub\/' in 'dav\+http:/, status),
      String(inner),
    );
  }
});

test("WebDAV: a folder that is gone is absent only if it is not named any more", async () => {
  const both = multistatus(folder("/dav/"), folder("/dav/sub/"), file("/dav/a"));
  const one = multistatus(folder("/dav/"), file("/dav/a"));
  assert.deepEqual(await keysOf({ "/dav/": [both, one] }), ["a"]);
  assert.deepEqual(await keysOf({ "/dav/": [both, one], "/dav/sub/": 410 }), ["a"]);
  const aFile = multistatus(file("/dav/sub"));
  assert.deepEqual(await keysOf({ "/dav/": [both, one], "/dav/sub/": aFile }), ["a"]);
  await assert.rejects(keysOf({ "/dav/": both }), isStoreError(/names the folder 'sub\/'/));
  await assert.rejects(keysOf({ "/dav/": [both, 404] }), isStoreError(/answered 404/, 404));
  await assert.rejects(keysOf({ "/dav/": [both, 503] }), isStoreError(/answered 503/, 503));
  const deep = multistatus(folder("/dav/sub/"), folder("/dav/sub/sub/"));
  assert.deepEqual(await keysOf({ "/dav/": [both, one], "/dav/sub/": [deep, 404] }), ["a"]);
});

test("WebDAV: a folder that holds itself fails the listing", async () => {
  let requests = 0;
  const fetch = (input: URL | RequestInfo) => {
    requests++;
    const { pathname } = new URL(String(input));
    const answer = multistatus(
      folder(pathname),
      folder(`${pathname}loop/`),
      folder(`${pathname}too/`),
    );
    return Promise.resolve(new Response(answer, { status: 207 }));
  };
  const store = new WebDavStore("http://localhost/dav/", { fetch });
  await assert.rejects(list(store), isStoreError(/does one hold itself/));
  assert.ok(requests < 2_000, `${requests} requests`);
});

test("WebDAV: sizes, times and ETags that are missing or odd", async () => {
  const props = (inner: string) =>
    multistatus(
      folder("/dav/"),
      `<response><href>/dav/a</href><propstat><prop><resourcetype/>${inner}</prop>
      <status>HTTP/1.1 200 OK</status></propstat></response>`,
    );
  const of = async (inner: string) => (await list(storeOf({ "/dav/": props(inner) }).store))[0];
  const date = "<getlastmodified>Tue, 14 Nov 2023 22:13:20 GMT</getlastmodified>";
  const lastModified = 1_700_000_000_000;
  const one = "<getcontentlength>1</getcontentlength>";
  assert.deepEqual(await of(one + date), { key: "a", size: 1, lastModified });
  assert.deepEqual(await of(`${date}<getcontentlength>-1</getcontentlength>`), {
    key: "a",
    size: 0,
    lastModified,
  });
  assert.deepEqual(await of('<getetag>W/"x"</getetag>'), { key: "a", size: 0, etag: 'W/"x"' });
  assert.deepEqual(
    await of(`${one}<getetag>plain</getetag><getlastmodified>now</getlastmodified>`),
    {
      key: "a",
      size: 1,
      etag: "plain",
    },
  );
  for (
    const bad of [
      "",
      "<getcontentlength>1.5</getcontentlength>",
      `${one}<getlastmodified>now</getlastmodified>`,
    ]
  ) await assert.rejects(of(bad), isStoreError(/"\/dav\/a" has/), bad);
});

test("WebDAV: only folders that can hold the prefix are asked for", async () => {
  const { store, requests } = storeOf({
    "/dav/": multistatus(folder("/dav/"), folder("/dav/a/"), folder("/dav/b/"), file("/dav/ab")),
    "/dav/a/": multistatus(folder("/dav/a/"), file("/dav/a/1"), file("/dav/a/2")),
  });
  assert.deepEqual((await list(store, "a/1")).map(({ key }) => key), ["a/1"]);
  assert.deepEqual((await list(store, "a")).map(({ key }) => key), ["a/1", "a/2", "ab"]);
  assert.deepEqual(requests, ["/dav/", "/dav/a/", "/dav/", "/dav/a/"]);
});

test("WebDAV: the name holds no secret, and errors do not either", async () => {
  const store = new WebDavStore("https://user:s3cret@example.com/dav?token=t0ken", {
    fetch: () =>
      Promise.reject(new Error("no route to https://user:s3cret@example.com/?token=t0ken")),
  });
  assert.equal(store.name, "dav+https://example.com/dav/?token=***");
  await assert.rejects(list(store), (error) => {
    assert.ok(error instanceof ExternalError && error.code === "network");
    assert.doesNotMatch(`${error.message}${error.stack}${String(error.cause)}`, /s3cret|t0ken/);
    return true;
  });
  assert.throws(() => new WebDavStore("ftp://example.com/"), TypeError);
  assert.throws(() => new WebDavStore("nonsense"), TypeError);
  assert.throws(() => new WebDavStore("https://example.com/", { timeout: -1 }), RangeError);
});

test("WebDAV: get is caught by the ETag of the answer where If-Match is not heeded", async () => {
  const seen: (string | null)[] = [];
  const server = (etag: string | undefined) =>
    new WebDavStore("http://localhost/dav/", {
      fetch: (_input, init) => {
        seen.push(new Headers(init?.headers).get("if-match"));
        return Promise.resolve(
          new Response("body", etag === undefined ? {} : { headers: { etag } }),
        );
      },
    });
  const get = async (etag: string | undefined, ifMatch: string) =>
    await new Response(await server(etag).get("a", { ifMatch })).text();
  assert.equal(await get('"1"', '"1"'), "body");
  assert.equal(await get('W/"1"', '"1"'), "body");
  assert.equal(await get('"1"', "1"), "body");
  assert.equal(await get(undefined, '"1"'), "body");
  assert.equal(await get('W/"1"', 'W/"1"'), "body");
  await assert.rejects(get('"2"', '"1"'), isStoreError(/changed/, 412));
  await assert.rejects(get('W/"2"', 'W/"1"'), isStoreError(/changed/, 412));
  // A weak one never matches, so it is not sent.
  assert.deepEqual(seen, ['"1"', '"1"', null, '"1"', null, '"1"', null]);
});

test("WebDAV: a folder that moved is listed where it is", async () => {
  const seen: string[] = [];
  const fetch = (input: URL | RequestInfo, init?: RequestInit) => {
    const { pathname } = new URL(String(input));
    seen.push(`${init?.method} ${pathname}`);
    const location = `/new${pathname}`;
    const answer = pathname.startsWith("/new")
      ? new Response(multistatus(folder("/new/dav/"), file("/new/dav/a")), { status: 207 })
      : new Response(null, { status: 301, headers: { location } });
    return Promise.resolve(answer);
  };
  const store = new WebDavStore("http://localhost/dav", { fetch });
  assert.deepEqual((await list(store)).map(({ key }) => key), ["a"]);
  assert.deepEqual(seen, ["PROPFIND /dav/", "PROPFIND /new/dav/"]);
});

test("WebDAV: a body compressed unasked is refused, and not left unread", async () => {
  let cancelled = 0;
  const store = (headers: HeadersInit) =>
    new WebDavStore("http://localhost/dav/", {
      headers,
      fetch: () => {
        const body = new ReadableStream({ cancel: () => void cancelled++ });
        return Promise.resolve(new Response(body, { headers: { "content-encoding": "gzip" } }));
      },
    });
  await assert.rejects(store({}).get("a"), isStoreError(/Content-Encoding 'gzip'/));
  assert.equal(cancelled, 1);
  await (await store({ "accept-encoding": "gzip" }).get("a")).cancel();
});

test("WebDAV: a key that no file can have is not asked for", async () => {
  const { store, requests } = storeOf({});
  for (const key of ["", "/a", "a/", "a//b", "..", "a/../b", "./a", "\ud800"]) {
    await assert.rejects(store.get(key), isStoreError(/does not exist/, 404), key);
  }
  assert.deepEqual(requests, []);
});

/** A server in memory that heeds conditions or, as many do, does not. */
function writable(heeds: { match: boolean; none: boolean }) {
  const files = new Map<string, string>();
  let version = 0;
  const fetch = (input: URL | RequestInfo, init?: RequestInit) => {
    const { pathname } = new URL(String(input));
    const headers = new Headers(init?.headers);
    const ifMatch = headers.get("if-match");
    const answer = (status: number) => {
      const etag = files.get(pathname);
      return Promise.resolve(
        new Response(null, { status, headers: etag === undefined ? {} : { etag } }),
      );
    };
    if (init?.method === "DELETE") return files.delete(pathname) ? answer(204) : answer(404);
    if (heeds.match && ifMatch !== null && ifMatch !== files.get(pathname)) return answer(412);
    if (heeds.none && headers.has("if-none-match") && files.has(pathname)) return answer(412);
    const status = files.has(pathname) ? 204 : 201;
    files.set(pathname, `"${++version}"`);
    return answer(status);
  };
  return { files, store: new WebDavStore("http://localhost/dav/", { fetch }) };
}

test("WebDAV: put writes on a condition, if the server heeds conditions", async () => {
  const { files, store } = writable({ match: true, none: true });
  const body = encode("x");
  const { etag } = await store.put("a b", body, { ifNoneMatch: "*" });
  assert.equal(etag, files.get("/dav/a%20b"));
  await assert.rejects(
    store.put("a b", body, { ifNoneMatch: "*" }),
    isStoreError(/condition/, 412),
  );
  const second = await store.put("a b", body, { ifMatch: etag ?? "" });
  await assert.rejects(
    store.put("a b", body, { ifMatch: etag ?? "" }),
    isStoreError(/condition/, 412),
  );
  assert.notEqual(second.etag, etag);
  assert.deepEqual([...files.keys()], ["/dav/a%20b"], "nothing else is left");
});

test("WebDAV: put without conditions to obey them writes nothing on one", async () => {
  for (const heeds of [{ match: false, none: true }, { match: true, none: false }]) {
    const { files, store } = writable(heeds);
    await assert.rejects(
      store.put("a", encode("x"), { ifNoneMatch: "*" }),
      isStoreError(/heeds no/),
    );
    await assert.rejects(store.put("a", encode("x"), { ifMatch: '"1"' }), isStoreError(/heeds no/));
    assert.deepEqual([...files.keys()], []);
    await store.put("a", encode("x"));
    assert.deepEqual([...files.keys()], ["/dav/a"]);
  }
});
