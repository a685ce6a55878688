// What WebDavStore makes of the answers of a server: keys, or an error.
import assert from "node:assert/strict";
import { test } from "node:test";
import { WebDavStore } from "@koprs/external/stores/webdav";
import {
  type Answer,
  file,
  folder,
  isStoreError,
  keysOf,
  list,
  multistatus,
  storeOf,
} from "./_webdav.ts";

test("hrefs in any form name the same things", async () => {
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

test("a href that leaves its key in doubt, or is outside, fails the listing", async () => {
  const hrefs: Record<string, RegExp> = {
    "/other/a": /outside/,
    "/": /outside/,
    "/dav/sub/a": /outside/, // an answer of depth infinity
    "/dav/a%2Fb": /no exact key/,
    "/dav/%2e%2e": /no exact key/,
    "/dav/..": /no exact key/,
    "/dav/.": /no exact key/,
    "/dav/%ff": /not encoded as UTF-8/,
    "/dav/100%": /not encoded as UTF-8/,
    "/dav/a?b": /not a path/,
    "/dav/a#b": /not a path/,
    "a": /not a path/,
    "": /not a path/,
  };
  for (const [href, wanted] of Object.entries(hrefs)) {
    const answers = { "/dav/": multistatus(folder("/dav/"), file("/dav/z"), file(href)) };
    await assert.rejects(keysOf(answers), isStoreError(wanted), href);
  }
});

test("an answer that is not a whole listing fails it", async () => {
  const answers: [Answer, RegExp, number?][] = [
    [multistatus(), /but not the folder/],
    [multistatus(file("/dav/a")), /but not the folder/],
    [multistatus(file("/dav/")), /a file, not a folder/],
    [multistatus(folder("/dav/"), file("/dav/a")).slice(0, -5), /not a complete listing/],
    ["<html></html>", /not a DAV multistatus/],
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

test("a folder that is gone is absent only if it is not named any more", async () => {
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

test("a folder that holds itself fails the listing", async () => {
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

test("sizes, times and ETags that are missing or odd", async () => {
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
  assert.deepEqual(await of('<getetag>W/"x"</getetag>'), { key: "a", size: 0, etag: '"x"' });
  assert.deepEqual(
    await of(`${one}<getetag>plain</getetag><getlastmodified>now</getlastmodified>`),
    {
      key: "a",
      size: 1,
      etag: '"plain"',
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

test("every PROPFIND asks for the folder and what is in it, and no deeper", async () => {
  const asked: (string | null)[][] = [];
  const store = new WebDavStore("http://localhost/dav/", {
    fetch: (input, init) => {
      const { pathname } = new URL(String(input));
      const headers = new Headers(init?.headers);
      asked.push([init?.method ?? "", pathname, headers.get("depth"), headers.get("content-type")]);
      const answer = pathname === "/dav/"
        ? multistatus(folder("/dav/"), folder("/dav/a/"))
        : multistatus(folder("/dav/a/"), file("/dav/a/1"));
      return Promise.resolve(new Response(answer, { status: 207 }));
    },
  });
  assert.deepEqual((await list(store)).map(({ key }) => key), ["a/1"]);
  const type = "application/xml; charset=utf-8";
  assert.deepEqual(asked, [
    ["PROPFIND", "/dav/", "1", type],
    ["PROPFIND", "/dav/a/", "1", type],
  ]);
});

test("what is named twice is told once, or is an error if it is not the same", async () => {
  const names = (...hrefs: string[]) =>
    keysOf({
      "/dav/": multistatus(folder("/dav/"), ...hrefs),
      "/dav/a/": multistatus(folder("/dav/a/")),
    });
  assert.deepEqual(await names(file("/dav/a"), file("/dav//a")), ["a"]);
  assert.deepEqual(await names(folder("/dav/a"), folder("/dav/a/"), file("/dav/b")), ["b"]);
  const twice = isStoreError(/"\/dav\/(%61|a\/)" is listed twice with different properties/);
  await assert.rejects(names(file("/dav/a"), file("/dav/%61", '"2"')), twice);
  await assert.rejects(names(file("/dav/a"), folder("/dav/a/")), twice);
});

test("only folders that can hold the prefix are asked for", async () => {
  const { store, requests } = storeOf({
    "/dav/": multistatus(folder("/dav/"), folder("/dav/a/"), folder("/dav/b/"), file("/dav/ab")),
    "/dav/a/": multistatus(folder("/dav/a/"), file("/dav/a/1"), file("/dav/a/2")),
  });
  assert.deepEqual((await list(store, "a/1")).map(({ key }) => key), ["a/1"]);
  assert.deepEqual((await list(store, "a")).map(({ key }) => key), ["a/1", "a/2", "ab"]);
  assert.deepEqual(requests, ["/dav/", "/dav/a/", "/dav/", "/dav/a/"]);
});

test("a folder that moved is listed where it is", async () => {
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

test("a way through another origin takes the credentials away, for all that is below", async () => {
  const seen: string[] = [];
  const moves: Record<string, string> = {
    "http://localhost/dav/": "http://elsewhere/dav/",
    "http://elsewhere/dav/": "http://localhost/back/",
  };
  const store = new WebDavStore("http://localhost/dav/", {
    headers: { "x-key": "k3y" },
    bearerToken: "t0ken",
    fetch: (input, init) => {
      const headers = new Headers(init?.headers);
      const secret = headers.has("authorization") || headers.has("x-key");
      seen.push(`${input} ${secret ? "with" : "without"}`);
      const location = moves[String(input)];
      if (location !== undefined) {
        return Promise.resolve(new Response(null, { status: 307, headers: { location } }));
      }
      const { pathname } = new URL(String(input));
      const inner = pathname === "/back/" ? folder("/back/sub/") : file(`${pathname}1`);
      return Promise.resolve(new Response(multistatus(folder(pathname), inner), { status: 207 }));
    },
  });
  assert.deepEqual((await list(store)).map(({ key }) => key), ["sub/1"]);
  assert.deepEqual(seen, [
    "http://localhost/dav/ with",
    "http://elsewhere/dav/ without",
    "http://localhost/back/ without",
    "http://localhost/back/sub/ without",
  ]);
});
