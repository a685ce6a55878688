// The one reader of XML: what it reads, and all that it refuses.
import assert from "node:assert/strict";
import { test } from "node:test";
import { textBytes } from "../../_bytes/exact_text.ts";
import { XmlReader } from "../../_listing/xml.ts";
import { bytesOf, readXml } from "./_xml.ts";

/** The text of a root element. */
function textOf(content: string): unknown {
  return readXml(`<t>${content}</t>`)[2];
}

test("elements, with blanks where XML allows them", () => {
  assert.deepEqual(readXml("<a/>"), ["", "a", []]);
  assert.deepEqual(readXml("<a\n/>\r\n\t "), ["", "a", []]);
  assert.deepEqual(readXml("<a ><b\t></b\n><t-1.2_3>x</t-1.2_3 ></a>"), [
    "",
    "a",
    [["", "b", []], ["", "t-1.2_3", "x"]],
  ]);
  assert.deepEqual(readXml("<_ü·>text &amp; <b/>more</_ü·>"), ["", "_ü·", [["", "b", []]]]);
  assert.deepEqual(readXml("<t></t>"), ["", "t", ""]);
  assert.deepEqual(readXml("<t/>"), ["", "t", ""]);
});

test("a declaration, a byte order mark, comments and instructions around the root", () => {
  for (
    const before of [
      '<?xml version="1.0"?>',
      "\ufeff<?xml version='1.0' encoding='utf-8'?>",
      '<?xml  version = "1.0"\n encoding="UTF8" standalone="yes" ?>\n',
      '<?xml version="1.0" standalone="no"?><!-- a <b> & -->',
      "<?x?><?y a=<>&?>",
      "<!---->",
    ]
  ) {
    assert.deepEqual(readXml(`${before}<a/>`), ["", "a", []], before);
  }
  assert.deepEqual(readXml("<a/><!-- x --><?y ?>\n"), ["", "a", []]);
});

test("a text: references, CDATA, comments and line ends are undone", () => {
  const texts: [string, string][] = [
    ["&lt;&gt;&amp;&quot;&apos;", "<>&\"'"],
    ["&#65;&#x41;&#x0000000041;&#x1F600;&#233;", "AAA\u{1f600}é"],
    ["&amp;lt;", "&lt;"],
    ["a&#13;b", "a\rb"],
    ["a\rb\r\nc\n\r\rd", "a\nb\nc\n\n\nd"],
    ["a<![CDATA[<&amp;]]]]>b<!-- c -->d<?e ?>f", "a<&amp;]]bdf"],
    ["<![CDATA[]]><![CDATA[\r\n\r]]>", "\n\n"],
    ["]] > ]>", "]] > ]>"],
    ["\u0080\ud7ff\ue000\ufffd\u{10ffff}", "\u0080\ud7ff\ue000\ufffd\u{10ffff}"],
    ["", ""],
  ];
  for (const [written, text] of texts) assert.equal(textOf(written), text, written);
});

test("namespaces: declared, inherited, changed and taken back", () => {
  const xml = `<a xmlns="one" xmlns:p='t&#119;o'><p:b/><c xmlns=""/><d xmlns:p="three"><p:e/></d>
    <p:f p:x="" x="" xml:lang="en"/></a>`;
  assert.deepEqual(readXml(xml), ["one", "a", [
    ["two", "b", []],
    ["", "c", []],
    ["one", "d", [["three", "e", []]]],
    ["two", "f", []],
  ]]);
});

test("attributes without a prefix can be asked for", () => {
  const reader = new XmlReader(bytesOf(`<a b="1&amp;2" p:c="" xmlns:p="q" d='\t"\r\n>'><e/></a>`));
  reader.root();
  assert.equal(reader.attribute("b"), "1&2");
  assert.equal(reader.attribute("d"), ' " >');
  assert.equal(reader.attribute("c"), undefined);
  assert.ok(reader.child());
  assert.equal(reader.attribute("b"), undefined);
});

test("an ETag in quotes that are references is told without them, any other text as it is", () => {
  const read = (content: string) => {
    const bytes = bytesOf(`<a>${content}</a>`);
    const reader = new XmlReader(bytes);
    reader.root();
    const quoted = reader.quotedText();
    const text = new TextDecoder().decode(bytes.subarray(reader.textStart, reader.textEnd));
    reader.finish();
    return [text, quoted];
  };
  assert.deepEqual(read("&quot;x&quot;"), ["x", true]);
  assert.deepEqual(read("&#34;x&#34;"), ["x", true]);
  assert.deepEqual(read("&#34;x&quot;"), ['"x"', false]);
  assert.deepEqual(read("&quot;&quot;"), ['""', false]);
  assert.deepEqual(read("&quot;x&amp;y&quot;"), ['"x&y"', false]);
  assert.deepEqual(read("&quot;é&quot;"), ['"é"', false]);
  assert.deepEqual(read("x"), ["x", false]);
});

test("what is skipped is read as strictly as what is wanted", () => {
  const skip = (content: string) => {
    const reader = new XmlReader(bytesOf(`<a><b>${content}</b><c/></a>`));
    reader.root();
    assert.ok(reader.child());
    reader.skip();
    assert.ok(reader.child());
    assert.ok(reader.isNamed(textBytes("c")));
    reader.skip();
    assert.ok(!reader.child());
    reader.finish();
  };
  skip("<d><e/>text &amp; <![CDATA[<]]></d>");
  for (const content of ["<d></e>", "&nbsp;", "a & b", "\u0001", "]]>", "<d x=1/>", "<p:d/>"]) {
    assert.throws(() => skip(content), SyntaxError, content);
  }
});

const BROKEN: Readonly<Record<string, readonly string[]>> = {
  "no XML": ["", " ", "x", "{}", ">", "\ufeff", "</a>", "<>", "< a/>", "<1/>", "<-a/>", "<a"],
  "tags that do not match": [
    "<a></b>",
    "<a><b></a></b>",
    "<a></a ",
    "<a></aa>",
    "<aa></a>",
    "<a></A>",
    "<a></ a>",
    "<a></a x>",
    "<a></a/>",
    "<a>",
    "<t>x>",
    "<a>x>",
    "<a b='>",
    "<a><!-- >",
    "<a><![CDATA[>",
    "<a><?x >",
    "<a><b/>",
    "<a><b>",
    "<a/></a>",
    "<a><>",
    "<a></>",
  ],
  "more or less than one root": [
    "<a/><b/>",
    "<a/>x",
    "x<a/>",
    "<a/>&#32;",
    "<a/><![CDATA[]]>",
    "<!-- -->",
  ],
  "texts": [
    "<t>a<b</t>",
    "<t><</t>",
    "<t>a & b</t>",
    "<t>&</t>",
    "<t>&;</t>",
    "<t>&nbsp;</t>",
    "<t>&amp</t>",
    "<t>&amp ;</t>",
    "<t>&AMP;</t>",
    "<t>&#;</t>",
    "<t>&#x;</t>",
    "<t>&#X41;</t>",
    "<t>&#4A;</t>",
    "<t>&#0;</t>",
    "<t>&#1;</t>",
    "<t>&#xD800;</t>",
    "<t>&#xFFFE;</t>",
    "<t>&#x110000;</t>",
    "<t>&#99999999999999999999;</t>",
    "<t>&constructor;</t>",
    "<t>]]></t>",
    "<t>a]]]></t>",
    "<t>\u0000</t>",
    "<t>\u0008</t>",
    "<t>\u001f</t>",
    "<t>\uffff</t>",
    "<t>a<b/></t>",
  ],
  "comments, CDATA and instructions": [
    "<a><!-- -- --></a>",
    "<a><!-- ---></a>",
    "<a><!-- </a>",
    "<a><!- x --></a>",
    "<a><!-- \u0001 --></a>",
    "<a><![CDATA[ ]]</a>",
    "<a><![CDATA[\u0001]]></a>",
    "<a><![cdata[x]]></a>",
    "<a><??></a>",
    "<a><? x?></a>",
    "<a><?x</a>",
    "<a><?x:y?></a>",
    "<a><?x?y?></a>",
    "<a><?xml version='1.0'?></a>",
    "<a><?XML?></a>",
    ' <?xml version="1.0"?><a/>',
    '<a/><?xml version="1.0"?>',
  ],
  "declarations": [
    "<?xml?><a/>",
    '<?xml version="1.1"?><a/>',
    '<?xml version="1.0" encoding="iso-8859-1"?><a/>',
    '<?xml version="1.0" encoding="utf-16"?><a/>',
    '<?xml version="1.0"encoding="utf-8"?><a/>',
    '<?xml encoding="utf-8"?><a/>',
    '<?xml encoding="utf-8" version="1.0"?><a/>',
    '<?xml version="1.0" standalone="perhaps"?><a/>',
    '<?xml version="1.0" x="y"?><a/>',
    '<?xml version="1.0"><a/>',
    "<?xml version=1.0?><a/>",
  ],
  "document types": [
    "<!DOCTYPE a><a/>",
    '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
    "<a><!DOCTYPE a></a>",
    '<a><!ENTITY b "c"></a>',
    "<!doctype html><html></html>",
  ],
  "attributes": [
    "<a b/>",
    "<a b=/>",
    "<a b=c/>",
    "<a b='c/>",
    "<a b='<'/>",
    "<a b='&'/>",
    "<a b='&x;'/>",
    "<a b='\u0001'/>",
    "<a b='' b=''/>",
    "<a b='' c='' b=''/>",
    "<a b=''c=''/>",
    "<a b''/>",
    "<a 1=''/>",
    "<a =''/>",
    "<a / >",
    "<a /b>",
    "<a></a b=''>",
    "<a b='c\"></a>",
  ],
  "namespaces": [
    "<p:a/>",
    "<a p:b=''/>",
    "<a><b xmlns:p='q'/><p:c/></a>",
    "<a><b xmlns:p='q'><c xmlns:r='s'/></b><p:d/></a>",
    "<a><b xmlns:p='q'><c xmlns:r='s'/><r:e/></b></a>",
    "<a xmlns:p=''/>",
    "<a xmlns:p=' '/>",
    "<a xmlns:p='q' xmlns:p='q'/>",
    "<a xmlns='q' xmlns='q'/>",
    "<a xmlns:p='q' xmlns:r='q' p:b='' r:b=''/>",
    "<a xmlns:xmlns='q'/>",
    "<a xmlns:xml='q'/>",
    "<a xmlns='http://www.w3.org/XML/1998/namespace'/>",
    "<a xmlns:p='http://www.w3.org/2000/xmlns/'/>",
    "<xmlns:a/>",
    "<a:/>",
    "<:a/>",
    "<a xmlns:p='q'><p:b:c/></a>",
    "<a xmlns:='q'/>",
    "<a xmlns:p='q'><p:1/></a>",
    "<p:a xmlns:p='q'></q:a>",
    "<p:a xmlns:p='q' xmlns:r='q'></r:a>",
  ],
};

for (const [what, documents] of Object.entries(BROKEN)) {
  test(`broken: ${what}`, () => {
    for (const xml of documents) {
      assert.throws(() => readXml(xml), SyntaxError, JSON.stringify(xml));
      // A buffer that is used again may hold what would make it whole.
      for (const rubbish of ["></t></a></a>", "</t>", "</a>", "/>", " b=''/>", "-->", "'/>"]) {
        assert.throws(() => readXml(xml, rubbish), SyntaxError, JSON.stringify(xml + rubbish));
      }
    }
  });
}

test("broken: bytes that are not UTF-8, wherever they stand", () => {
  const declaration = [...bytesOf("<?xml version"), 0xc0, ...bytesOf('="1.0"?><a/>')];
  assert.throws(() => readXml(Uint8Array.from(declaration)), SyntaxError);
  const places = ["<t>?</t>", "<a>?<b/></a>", "<a b='?'/>", "<a><!--?--></a>", "<a><?x ??></a>"];
  places.push("<a><![CDATA[?]]></a>", "<a?/>", "<a ?=''/>", "<t>a?&amp;</t>", "<a/><!--?-->");
  const wrong = [[0xff], [0x80], [0xc0, 0x80], [0xc3], [0xe0, 0x80, 0x80], [0xed, 0xa0, 0x80]];
  wrong.push([0xf0, 0x80, 0x80, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xf5, 0x80, 0x80, 0x80]);
  wrong.push([0xef, 0xbf, 0xbf], [0xe2, 0x82]);
  for (const place of places) {
    for (const bytes of wrong) {
      const [before = "", after = ""] = place.split("?");
      const whole = place.startsWith("<a><?") ? ["<a><?x ", "?></a>"] : [before, after];
      const xml = [...bytesOf(whole[0] ?? ""), ...bytes, ...bytesOf(whole[1] ?? "")];
      assert.throws(() => readXml(Uint8Array.from(xml)), SyntaxError, `${place} ${bytes}`);
    }
  }
});

test("broken: every cut", () => {
  const whole = bytesOf(
    `\ufeff<?xml version="1.0"?><!-- a --><p:a xmlns:p="q" b='>'><t>x&amp;é<![CDATA[>]]></t><?x >?></p:a>`,
  );
  for (let length = 0; length < whole.length; length++) {
    assert.throws(() => readXml(whole.slice(0, length)), SyntaxError, `${length}`);
    assert.throws(() => readXml(whole.slice(0, length), ">></p:a>"), SyntaxError, `${length}`);
  }
  readXml(whole);
  for (const xml of ["<t>x>", "<t>x", "<a>", "<a b='>", "<a><!-- >"]) {
    assert.throws(() => readXml(xml), /cut off/, xml);
  }
});

test("what is more than any answer has is refused", () => {
  const nested = (depth: number) => "<a>".repeat(depth) + "</a>".repeat(depth);
  readXml(nested(100));
  assert.throws(() => readXml(nested(101)), /too deep/);
  const attributes = (count: number) =>
    Array.from({ length: count }, (_, i) => ` a${i}=''`).join("");
  readXml(`<a${attributes(100)}/>`);
  assert.throws(() => readXml(`<a${attributes(101)}/>`), /more than 100 attributes/);
  const spaces = (count: number) =>
    Array.from({ length: count }, (_, i) => `<a xmlns:p${i}='q'>`).join("") + "</a>".repeat(count);
  readXml(spaces(100));
  const two = (count: number) =>
    Array.from({ length: count }, (_, i) => `<a xmlns:p${i}='q' xmlns:q${i}='r'>`).join("") +
    "</a>".repeat(count);
  assert.throws(() => readXml(two(60)), /more than 100 namespaces/);
});
