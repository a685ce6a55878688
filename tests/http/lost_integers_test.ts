// Integers of a JSON text that a JavaScript number would round.
import fc from "fast-check";
import assert from "node:assert/strict";
import { test } from "node:test";
import { findLostInteger } from "../../_http/lost_integers.ts";
import { workOf } from "../errors/_cpu.ts";

const encoder = new TextEncoder();
const find = (json: string) => findLostInteger(encoder.encode(json));

test("integers that are rounded, and where they stand", () => {
  const lost = [
    "9007199254740993",
    "-9007199254740993",
    "9999999999999999",
    "12345678901234567890",
    "18446744073709551615",
    "9223372036854775807",
    "9007199254740993.0",
    "100000000000000000000001",
    "1" + "0".repeat(400),
    "9".repeat(1_000),
  ];
  const at = (text: string) => text.startsWith("-") ? 1 : 0;
  for (const text of lost) {
    assert.equal(find(text), at(text), text);
    for (let blanks = 0; blanks < 40; blanks++) {
      const before = `[${" ".repeat(blanks)}"é\\"",`;
      const expected = encoder.encode(before).length + at(text);
      assert.equal(find(`${before}${text},9007199254740993]`), expected, text);
    }
  }
});

test("numbers that are not: in strings, with a fraction or an exponent, or exact", () => {
  const fine = [
    "9007199254740991",
    "9007199254740992",
    "-9007199254740992",
    "1700000000000000",
    "9007199254740994",
    "123456789012345680000",
    "100000000000000000000",
    "1" + "0".repeat(300),
    "1.0",
    "1e3",
    "0.12345678901234567890",
    "-0.12345678901234567890",
    "3.14159265358979323846",
    "12345678901234567890.5",
    "12345678901234567890e0",
    "12345678901234567890.0e2",
    "1e0000000000000000000005",
    "1e+0000000000000000000005",
    "1E-0000000000000000000005",
    '"12345678901234567890"',
    '"\\"12345678901234567890"',
    '"\\\\\\"12345678901234567890,"',
    '"a","12345678901234567890",1',
    '"12345678901234567890 12345678901234567890"',
    "1234567890,1234567890",
  ];
  for (const text of fine) {
    for (let blanks = 0; blanks < 40; blanks++) {
      assert.equal(find(`[${" ".repeat(blanks)}${text}]`), undefined, text);
    }
  }
});

test("any JSON: found exactly where a reviver sees a number that reads back differently", () => {
  // Long digits in all places, and much that only looks like them.
  const digits = fc.stringMatching(/^[1-9][0-9]{13,24}$/);
  const number = fc.oneof(
    digits,
    digits.map((text) => `-${text}`),
    digits.map((text) => `${text}.000`),
    digits.map((text) => `${text}.5`),
    digits.map((text) => `0.${text}`),
    digits.map((text) => `${text}e5`),
    fc.integer().map(String),
  );
  const string = fc.oneof(
    digits,
    fc.string(),
    digits.map((text) => `\\"${text}`),
    fc.constant('"\\'),
  )
    .map((text) => JSON.stringify(text));
  const value = fc.oneof(number, string, number.map((text) => `{"a":${text}}`));
  fc.assert(
    fc.property(fc.array(value), fc.nat({ max: 20 }), (values, blanks) => {
      const json = `[${" ".repeat(blanks)}${values.join(", ")}]`;
      JSON.parse(json); // It is valid.
      // The naive way: every token, one after the other.
      const tokens = [...json.matchAll(/"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g)];
      const lost = tokens.find(([token]) => {
        const digits = /^-?(\d+)(?:\.0+)?$/.exec(token)?.[1];
        // As V8 and JSC print it, or as many zeros as the exponent says.
        return digits !== undefined &&
          BigInt(digits) !== BigInt(Number(digits).toLocaleString("en", { useGrouping: false }));
      });
      const expected = lost && encoder.encode(json.slice(0, lost.index)).length +
          (lost[0].startsWith("-") ? 1 : 0);
      assert.equal(find(json), expected, json);
    }),
    { numRuns: 1_000 },
  );
});

test("time is linear in the length, whatever the text", { timeout: 20_000 }, () => {
  const million = 1_000_000;
  for (
    const json of [
      "9".repeat(4 * million),
      `[${"12345678901234,".repeat(million / 4)}1]`,
      `["${"1234567890123456 ".repeat(million / 4)}"]`,
      `[${'"1234567890123456",'.repeat(million / 4)}1]`,
      `["${"\\\\".repeat(million)}",1234567890123456]`,
      `["${'\\"1234567890123456'.repeat(million / 8)}"]`,
      `[${"1700000000000000,".repeat(million / 4)}1]`,
      `[${"0.1234567890123456789,".repeat(million / 4)}1]`,
    ]
  ) {
    const time = workOf(() => find(json));
    assert(time < 2_000, `${json.slice(0, 30)}… of ${json.length}: ${time} ms`);
  }
});
