// The reader of XML takes only what a real parser takes, and says the same.
import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesOf, readXml, type Told } from "../listing/_xml.ts";
import { fuzz, mutate, type Random } from "./_fuzz.ts";
import { parseXml, toldOf } from "./_saxes.ts";

const PIECES = [
  ..."<>/&;!?-[]\"'= \n\r\t:xa0#.é\u{1f600}\ufffe\u0001",
  ...["<a>", "</a>", "<t>", "</t>", "<a/>", "<!--", "-->", "--", "<![CDATA[", "]]>", "<?", "?>"],
  ...[
    "<?xml",
    ' version="1.0"',
    ' encoding="utf-8"',
    "&amp;",
    "&lt;",
    "&#10;",
    "&#x1f600;",
    "&#0;",
  ],
  ...["xmlns", "xmlns:p", "xmlns=''", " xmlns:p='q'", "p:", " b='c'", "<!DOCTYPE a>", "\r\n", "]]"],
];

function text(random: Random): string {
  return random.list(6, (random) =>
    random.pick([
      ...[
        "x",
        "é",
        "\u{1f600}",
        " ",
        "\n",
        "\r\n",
        "\r",
        ">",
        "]",
        "&amp;",
        "&lt;",
        "&#13;",
        "&#x41;",
      ],
      ...["<![CDATA[<&]]>", "<!-- <c> & -->", "<?p a>b?>", "abc", "&quot;", "%2F", "+"],
    ])).join("");
}

function attributes(random: Random): string {
  return random.list(2, (random) =>
    random.pick([
      ...[" b='c'", ' d = "&amp;>\'"', "\n e=''", " xmlns='u'", " xmlns=''", " xmlns:p='v'"],
      ...[" xmlns:q='v'", " p:b=''", " q:b=''", " xml:lang='en'", " ü='é'"],
    ])).join("");
}

function element(random: Random, depth: number): string {
  const prefix = random.pick(["", "", "", "p:", "q:"]);
  const leaf = random.oneIn(2);
  const name = `${prefix}${leaf ? "t" : "a"}${random.pick(["", "", "-1.x", "ü"])}`;
  const declares = prefix === "" || random.oneIn(20) ? "" : ` xmlns:${prefix.slice(0, 1)}='w'`;
  const begin = `<${name}${declares}${attributes(random)}${random.pick(["", "", " "])}`;
  if (random.oneIn(6)) return `${begin}/>`;
  const inner = leaf
    ? text(random)
    : random.list(depth > 3 ? 0 : 3, (random) => `${text(random)}${element(random, depth + 1)}`)
      .join("");
  return `${begin}>${inner}</${name}${random.pick(["", "", "\n"])}>`;
}

function document(random: Random): string {
  const before = random.pick(["", "\ufeff", '<?xml version="1.0"?>', "\n<!-- x --><?y z?>"]);
  return `${before}${element(random, 0)}${random.pick(["", "\n", "<!-- y -->"])}`;
}

const counts = { both: 0, neither: 0, strict: 0 };

function compare(bytes: Uint8Array, random: Random): void {
  let told: Told | undefined;
  let wanted: Told | undefined;
  try {
    told = readXml(bytes, random.pick(["", "", "></t></a>", "&quot;<a>", "]]>-->?>"]));
  } catch (error) {
    assert.ok(error instanceof SyntaxError, String(error));
  }
  try {
    wanted = toldOf(parseXml(bytes));
  } catch {
    wanted = undefined;
  }
  const shown = JSON.stringify(new TextDecoder().decode(bytes));
  if (told !== undefined) assert.ok(wanted !== undefined, `taken, and not well-formed: ${shown}`);
  if (told !== undefined) assert.deepEqual(told, wanted, shown);
  counts[told !== undefined ? "both" : wanted === undefined ? "neither" : "strict"]++;
}

test("fuzz: documents, whole and mutated, against a real parser", () => {
  fuzz((random) => {
    const bytes = bytesOf(document(random));
    compare(bytes, random);
    for (let i = 0; i < 5; i++) compare(mutate(random, bytes, PIECES), random);
  });
  console.log(
    `# ${counts.both} documents taken, ${counts.neither} refused by both, ${counts.strict} by us alone`,
  );
  assert.ok(counts.both > 0 && counts.neither > 0);
});
