// HttpPoller: names, headers, and options that cannot be used (W8).
import assert from "node:assert/strict";
import { test } from "node:test";
import { HttpPoller } from "@koprs/external";
import type { HttpPollerOptions } from "@koprs/external/http";
import { poll, pollerOf, send, serve } from "./_http_server.ts";

const timeout = 10_000;

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
    [url, { headers: { x: "a\x01b" } }, TypeError, /'headers'/],
    [url, { bearerToken: "a\x7fb" }, TypeError, /'bearerToken' has characters no header can hold/],
    [url, { headers: 5 }, TypeError, /'headers'/],
    [url, { headers: { "If-None-Match": "*" } }, TypeError, /if-none-match/],
    [url, { headers: { Range: "bytes=0-1" } }, TypeError, /range/],
    [url, { headers: { "if-modified-since": "x" } }, TypeError, /if-modified-since/],
    [url, { validate: true }, TypeError, /'validate'/],
    [url, { fetch: "fetch" }, TypeError, /'fetch'/],
    [url, { name: "" }, TypeError, /'name'/],
    [url, { name: "a\nb" }, TypeError, /'a\\nb' as 'name' must be one line of plain text/],
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
