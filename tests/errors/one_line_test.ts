// B3: text that cannot forge a line of a log.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ExternalError } from "@koprs/external/error";
import { foldLines, oneLine } from "../../_errors/one_line.ts";
import { workOf } from "./_cpu.ts";

test("B3: control characters are escaped, one by one", () => {
  const cases: [string, string][] = [
    ["", ""],
    ["plain, as it is: äöü 漢字 😀", "plain, as it is: äöü 漢字 😀"],
    ["a\nb\r\nc\td", "a\\nb\\r\\nc\\td"],
    ["\u001b[2Jcleared", "\\x1b[2Jcleared"],
    ["\0\x07\x7f\x85\x9b", "\\x00\\x07\\x7f\\x85\\x9b"],
    ["a\u2028b\u2029c", "a\\u2028b\\u2029c"],
    ["\u202egpj.exe\u2066\u061c", "\\u202egpj.exe\\u2066\\u061c"],
    ["\ud800 and \udc00", "\\ud800 and \\udc00"],
    ["a \u00a0 b", "a \u00a0 b"],
  ];
  for (const [given, shown] of cases) assert.equal(oneLine(given), shown);
});

test("B3: of a long text the middle is left out, and no half of a character stays", () => {
  assert.equal(oneLine("a".repeat(2_000)), "a".repeat(2_000));
  assert.equal(
    oneLine(`Cannot get '${"k".repeat(3_000)}': refused`),
    `Cannot get '${"k".repeat(988)}…${"k".repeat(990)}': refused`,
  );
  assert.equal(oneLine("abcdefghijkl", 10), "abcde…hijkl");
  assert.equal(oneLine("abcd😀ghijkl", 10), "abcd…hijkl", "half a character");
  assert.equal(oneLine("abcdef😀ijkl", 10), "abcde…ijkl", "half a character");
  for (const pair of ["\u{10000}", "\u{103ff}", "\u{10fc00}", "\u{10ffff}"]) {
    assert.equal(oneLine(`abcd${pair}ghijkl`, 10), "abcd…hijkl", "half a character");
    assert.equal(oneLine(`abc${pair}fghijkl`, 10), `abc${pair}…hijkl`, "a whole one");
    assert.equal(oneLine(`abcdef${pair}ijkl`, 10), "abcde…ijkl", "half a character");
    assert.equal(oneLine(`abcde${pair}hijkl`, 10), "abcde…hijkl", "none of it");
  }
  assert.equal(oneLine("abcdef", 0), "…");
  assert.equal(oneLine("abcdefghi\n", 10), "abcdefghi\\n", "cut, it would be no shorter");
  assert.equal(oneLine("\n".repeat(10), 8), "\\n\\n…\\n\\n", "escapes count as what they are");
});

test("B3: whatever the text, the line is one, printable, and of bounded length", () => {
  const units = fc.oneof(fc.integer({ max: 0x30, min: 0 }), fc.integer({ min: 0, max: 0xffff }));
  const property = fc.property(fc.array(units, { maxLength: 60 }), fc.nat(50), (text, longest) => {
    const line = oneLine(String.fromCharCode(...text), longest);
    assert(!/[\p{Cc}\p{Cs}\u2028\u2029]/u.test(line), line);
    assert(line.length <= longest + 1);
    assert(line.isWellFormed());
  });
  fc.assert(property, { numRuns: 1_000 });
});

test("B3: the message of an ExternalError is one line", () => {
  const key = "a\n2026-01-01 ERROR forged\u001b[31m";
  const error = new ExternalError("store", `Cannot get '${key}' from 's3://bucket'`);
  const shown = "Cannot get 'a\\n2026-01-01 ERROR forged\\x1b[31m' from 's3://bucket'";
  assert.equal(error.message, shown);
  assert.equal(error.stack?.split("\n")[0]?.replace(/^\w*Error: /, ""), shown);
  assert(new ExternalError("store", "x".repeat(1_000_000)).message.length <= 2_001);
});

test("foldLines: a run of white space that breaks the line is one blank", () => {
  const cases: [string, string][] = [
    ["a\n  b\r\n\tc", "a b c"],
    ["  two  blanks  ", "two  blanks"],
    ["a\u2028b\u2029c\vd\fe", "a b c d e"],
    ["a\tb", "a\tb"],
    ["\n", ""],
  ];
  for (const [given, folded] of cases) assert.equal(foldLines(given), folded);
});

test("both take time linear in the text", () => {
  for (const part of [" ", "\t", " \n", "\u001b", "\ud800", "a "]) {
    const text = part.repeat(500_000 / part.length);
    const work = workOf(() => {
      oneLine(text);
      foldLines(text);
      oneLine(foldLines(text), 1_000_000);
    });
    assert(work < 2_000, `${JSON.stringify(part)}: ${work} ms`);
  }
});
