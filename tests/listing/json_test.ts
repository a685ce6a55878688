// The reader of JSON: what it refuses in what is wanted and in what is skipped alike.
import assert from "node:assert/strict";
import { test } from "node:test";
import { JsonReader } from "../../_listing/json.ts";

/** Reads `{"a": …}`, its value skipped. */
function skip(value: string | Uint8Array): void {
  const json = new JsonReader(
    typeof value === "string" ? new TextEncoder().encode(`{"a":${value}}`) : value,
  );
  assert.ok(json.opensObject());
  do {
    json.name();
    assert.ok(json.isText("a"));
    json.skip();
  } while (json.nextField());
  json.finish();
}

/** Reads `{"a": "…"}`, its value as a string. */
function string(text: string): string {
  const json = new JsonReader(new TextEncoder().encode(`{"a":"${text}"}`));
  json.opensObject();
  json.name();
  json.string();
  const read = json.text();
  assert.ok(!json.nextField());
  return read;
}

test("values of all kinds are skipped", () => {
  const values = ["0", "-0", "1.5", "-12e+3", "1E9", "true", "false", "null", '""', "[]", "{}"];
  values.push('"}"', '"\\""', " [ 1 , [ ] , { } ] ", '{"b":{"c":[]},"d":"}"}', '"é\u{1f600}"');
  for (const value of values) {
    skip(value);
    JSON.parse(value);
  }
});

test("a string is told as JSON means it", () => {
  const texts: [string, string][] = [
    ["", ""],
    ["a}b{", "a}b{"],
    ['\\"\\\\\\/\\b\\f\\n\\r\\t', '"\\/\b\f\n\r\t'],
    ["\\u0041\\u00e9\\u20AC", "Aé€"],
    ["\\ud83d\\ude00", "\u{1f600}"],
    ["\\ud83d\\u0041", "\ud83dA"],
    ["\\ude00\\ud83d", "\ude00\ud83d"],
    ["\\ud83dx", "\ud83dx"],
    ["é\\né}", "é\né}"],
  ];
  for (const [written, text] of texts) assert.equal(string(written), text, written);
});

test("what is not JSON is refused", () => {
  const wrong = [
    ...[
      "",
      "01",
      "-",
      "+1",
      ".5",
      "1.",
      "1e",
      "1e+",
      "0x1",
      "NaN",
      "Infinity",
      "nul",
      "TRUE",
      "truex",
    ],
    ...[
      '"',
      '"a',
      "'a'",
      '"\\x41"',
      '"\\u00g0"',
      '"\\u12"',
      '"\\"',
      '"\n"',
      '"\t"',
      '"\u0000"',
      '"\u001f"',
    ],
    ...[
      "[",
      "[1",
      "[1,",
      "[1,]",
      "[,1]",
      "[1 2]",
      "]",
      "[}",
      "{",
      '{"b"',
      '{"b":',
      '{"b":1',
      '{"b":1,}',
    ],
    ...[
      "{b:1}",
      "{'b':1}",
      '{"b" 1}',
      '{"b":1 "c":2}',
      "{,}",
      "1 1",
      "1,",
      "/**/1",
      "[1]//",
      "undefined",
    ],
  ];
  for (const value of wrong) {
    assert.throws(() => skip(value), SyntaxError, JSON.stringify(value));
    assert.throws(() => JSON.parse(`{"a":${value}}`), SyntaxError, JSON.stringify(value));
  }
  for (const bytes of [[0xff], [0x80], [0xc3], [0xed, 0xa0, 0x80], [0xc0, 0x80]]) {
    const encoder = new TextEncoder();
    const before = encoder.encode('{"a":"'), behind = encoder.encode('"}');
    assert.throws(() => skip(Uint8Array.from([...before, ...bytes, ...behind])), SyntaxError);
    const escape = encoder.encode("\\n");
    const odd = Uint8Array.from([...before, ...escape, ...bytes, ...behind]);
    assert.throws(() => skip(odd), SyntaxError, "behind an escape, too");
  }
});

test("nothing but blanks may be behind the document, and it must be whole", () => {
  const encoder = new TextEncoder();
  skip(encoder.encode('{"a":1}\r\n\t '));
  for (
    const text of ['{"a":1}x', '{"a":1}{}', '{"a":1},', '{"a":1}\u00a0', '{"a":1', '{"a"', "{", ""]
  ) {
    assert.throws(() => skip(encoder.encode(text)), SyntaxError, text);
  }
  const whole = encoder.encode('{"a":["}",{"b":"\\u0041"},-1.5e3,null]}');
  for (let length = 0; length < whole.length; length++) {
    assert.throws(() => skip(whole.slice(0, length)), SyntaxError, `${length}`);
  }
  skip(whole);
});

test("deeper than any answer nests is refused", () => {
  skip("[".repeat(100) + "]".repeat(100));
  assert.throws(() => skip("[".repeat(102) + "]".repeat(102)), /too deep/);
  assert.throws(() => skip("[".repeat(1_000_000)), SyntaxError);
});
