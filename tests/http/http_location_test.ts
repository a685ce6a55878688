// The bytes of header fields that hold URLs: UTF-8 where they are, and otherwise the bytes that the server named.
import assert from "node:assert/strict";
import { test } from "node:test";
import { headerText } from "../../_http/headers.ts";
import { clientOf, exchange } from "./_client.ts";
import { answer, serveRaw } from "./_http_server.ts";

const timeout = 10_000;

/** As `fetch` gives the bytes of a text in UTF-8. */
function mojibake(text: string): string {
  return String.fromCharCode(...new TextEncoder().encode(text));
}

// What stands in Location, one character a byte, and what must be asked for.
const locations: [string, string, string][] = [
  ["ASCII", "/plain?q=1", "/plain?q=1"],
  ["UTF-8", mojibake("/dächer/日本"), "/d%C3%A4cher/%E6%97%A5%E6%9C%AC"],
  ["UTF-8 of four bytes", mojibake("/😀"), "/%F0%9F%98%80"],
  ["UTF-8 in a query", mojibake("/?q=é"), "/?q=%C3%A9"],
  ["UTF-8 beside escapes", mojibake("/%C3%A4/ä/%2F/%25"), "/%C3%A4/%C3%A4/%2F/%25"],
  ["escapes of Latin-1 beside UTF-8", mojibake("/%E9/é"), "/%E9/%C3%A9"],
  ["Latin-1", "/caf\xe9", "/caf%E9"],
  ["Latin-1 beside UTF-8", `/caf\xe9/${mojibake("é")}`, "/caf%E9/%C3%A9"],
  ["UTF-8 that is cut", "/a\xc3", "/a%C3"],
  ["overlong UTF-8", "/\xc0\xaf", "/%C0%AF"],
];

for (const [what, location, path] of locations) {
  test(`a Location in ${what} is asked for as the server named it`, { timeout }, async (t) => {
    const server = await serveRaw(t, (socket, nth) => {
      socket.write(
        answer(nth === 1 ? 302 : 200, nth === 1 ? { Location: location } : {}),
        "latin1",
      );
    });
    const { url } = await exchange(clientOf(server));
    assert.equal(server.heads[1]?.split(" ")[1], path);
    assert.equal(url, server.origin + path);
  });
}

test("a host in UTF-8 is the one it names", { timeout }, async () => {
  const asked: string[] = [];
  const fetch = (input: unknown) => {
    asked.push(String(input));
    const headers = { location: mojibake("http://bücher.example/ä") };
    return Promise.resolve(new Response(null, asked.length === 1 ? { status: 302, headers } : {}));
  };
  await exchange(clientOf({ origin: "http://example.com" }, { fetch }));
  assert.equal(asked[1], "http://xn--bcher-kva.example/%C3%A4");
});

test("headerText: UTF-8 is decoded, other bytes are escaped, what is decoded already stays", () => {
  const cases: [string, string][] = [
    ["", ""],
    ["</a>; rel=next", "</a>; rel=next"],
    [mojibake('</ä>; rel="next"; title="日本"'), '</ä>; rel="next"; title="日本"'],
    ["</\xe4>; rel=next", "</%E4>; rel=next"],
    ["</日本>", "</日本>"],
    [mojibake("\ufeffx"), "\ufeffx"],
  ];
  for (const [given, text] of cases) assert.equal(headerText(given), text);
});
