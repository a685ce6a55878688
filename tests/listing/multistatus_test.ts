// Answers to a PROPFIND: what is read of them, and what is refused.
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

test("properties of any prefix, only those with a success", () => {
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

test("an element of another namespace is another element", () => {
  const xml = `<multistatus xmlns="DAV:" xmlns:o="other"><response><href>/a</href>
    <propstat><prop><o:getetag>"no"</o:getetag><resourcetype><o:collection/></resourcetype>
      <lock><getetag>"no"</getetag></lock></prop>
    <status>HTTP/1.1 200 OK</status></propstat><o:status>HTTP/1.1 500 No</o:status>
  </response><sync-token>x</sync-token></multistatus>`;
  assert.deepEqual(parse(xml), [{ href: "/a", folder: false }]);
});

test("a status in place of properties, for one or more", () => {
  const xml = `<d:multistatus xmlns:d='DAV:'><d:response><d:href>/a</d:href><d:href>/b</d:href>
    <d:status>HTTP/1.1 423 Locked</d:status></d:response></d:multistatus>`;
  assert.deepEqual(parse(xml), [
    { href: "/a", folder: false, status: 423 },
    { href: "/b", folder: false, status: 423 },
  ]);
});

test("what is said of one resource is not said of the next", () => {
  const ok = "<status>HTTP/1.1 200 OK</status>";
  const xml = `<multistatus xmlns="DAV:">
    <response><href>/a</href><status>HTTP/1.1 423 Locked</status></response>
    <response><href>/b</href><propstat><prop><getetag>"b"</getetag>
      <resourcetype><collection/></resourcetype></prop>${ok}</propstat></response>
    <response><href>/c</href><propstat><prop/>${ok}</propstat></response>
  </multistatus>`;
  assert.deepEqual(parse(xml), [
    { href: "/a", folder: false, status: 423 },
    { href: "/b", folder: true, etag: '"b"' },
    { href: "/c", folder: false },
  ]);
});

test("a property of a failed propstat is none, whatever it holds and wherever its status stands", () => {
  const failed = "<status>HTTP/1.1 403 Forbidden</status>";
  const prop = '<prop><getetag>"no"</getetag><getcontentlength>7</getcontentlength>' +
    "<resourcetype><collection/></resourcetype></prop>";
  const found = '<propstat><prop><getetag>"yes"</getetag></prop>' +
    "<status>HTTP/1.1 200 OK</status></propstat>";
  for (const propstat of [failed + prop, prop + failed]) {
    const wrong = `<propstat>${propstat}</propstat>`;
    for (const both of [wrong + found, found + wrong]) {
      const xml =
        `<multistatus xmlns="DAV:"><response><href>/a</href>${both}</response></multistatus>`;
      assert.deepEqual(parse(xml), [{ href: "/a", folder: false, etag: '"yes"' }]);
    }
  }
});

test("runs of blanks take no time, and are left out around a text alone", () => {
  const blanks = " \n".repeat(200_000);
  const xml = `<multistatus xmlns="DAV:"><response><href>${blanks}/a${blanks}b\u00a0${blanks}</href>
    <propstat><prop/><status>HTTP/1.1 200 OK</status></propstat></response></multistatus>`;
  const [resource] = parse(xml);
  assert.equal(resource?.href, `/a${blanks}b\u00a0`);
});

test("references, CDATA, comments and instructions", () => {
  const xml = `\ufeff<?xml version='1.0' encoding='UTF-8'?><!-- <a> --><?x ?>
  <multistatus xmlns="DA&#86;:"><response><href> /&lt;&#x1F600;&#233;<![CDATA[&amp;<]]>&amp;lt;<!-- x --></href>
  <propstat><prop/><status>HTTP/1.1 200 OK</status></propstat></response></multistatus><!-- end -->`;
  assert.deepEqual(parse(xml), [{ href: "/<\u{1f600}é&amp;<&lt;", folder: false }]);
});

test("what is not a whole document is an error", () => {
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
    "an element in a text": wrap("<response><href>/a<b/></href></response>"),
    "a property with two values": wrap(
      "<response><href>/a</href><propstat><prop><getetag>1</getetag><getetag>2</getetag></prop>" +
        "<status>HTTP/1.1 200 OK</status></propstat></response>",
    ),
    "odd status": wrap("<response><href>/a</href><status>OK</status></response>"),
    deep: wrap("<a>".repeat(200) + "</a>".repeat(200)),
    latin1: `<?xml version="1.0" encoding="iso-8859-1"?>${wrap("")}`,
  };
  for (const [name, xml] of Object.entries(cases)) {
    assert.throws(() => parse(xml), SyntaxError, name);
  }
  const bytes = encode(wrap("<response>?</response>"));
  bytes[bytes.indexOf(0x3f)] = 0xff;
  assert.throws(() => parseMultistatus(bytes), /not UTF-8/);
  assert.deepEqual(parse(wrap("")), []);
});

test("every cut is an error", () => {
  const whole = encode(APACHE.trimEnd());
  for (let length = 0; length < whole.length; length++) {
    assert.throws(() => parseMultistatus(whole.subarray(0, length)), SyntaxError, `${length}`);
  }
});

test("reads what any writer wrote", () => {
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
