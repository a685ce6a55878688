// What --diff shows of two contents.
import assert from "node:assert/strict";
import { test } from "node:test";
import { difference } from "../../_cli/diff.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const of = (old: string, now: string) => difference(bytes(old), bytes(now));

test("a difference names lines, or the paths of JSON", () => {
  assert.deepEqual(of("a\nb\nc", "a\nx\nc\nd"), ["- b", "+ x", "+ d"]);
  assert.deepEqual(of("a\r\nb\r\n", "a\nc\n"), ["- b", "+ c"]);
  assert.deepEqual(of("a\nb", "a\nb"), []);
  assert.deepEqual(of('{"a":[1,2],"b c":1}', '{"a":[1,3],"d":null}'), [
    ...["- .a[1]: 2", "+ .a[1]: 3", '- ["b c"]: 1', "+ .d: null"],
  ]);
});

test("what is not text has no difference", () => {
  assert.equal(difference(new Uint8Array([0xff]), bytes("a")), undefined);
  assert.equal(difference(bytes("a"), new Uint8Array([0xff])), undefined);
  assert.equal(of("a\0", "b"), undefined);
});

test("JSON is compared by its values, and each change has its path", () => {
  const cases: [string, string, string[]][] = [
    ['{"a": 1}', ' [1, {"a": 1}]', ['- .: {"a":1}', '+ .: [1,{"a":1}]']],
    ['{"a":1,"b":2}', '{"b":2,\n"a":1}', []],
    ['{"a":null}', '{"a":{}}', ["- .a: null", "+ .a: {}"]],
    ['{"a":{}}', '{"a":5}', ["- .a: {}", "+ .a: 5"]],
    ['{"a":{"b":{"c":"x"}}}', '{"a":{"b":{"c":"y"}}}', ['- .a.b.c: "x"', '+ .a.b.c: "y"']],
    ["[1,2,3]", "[1]", ["- [1]: 2", "- [2]: 3"]],
    ['{"a":1}', '{"a":1,"constructor":2}', ["+ .constructor: 2"]],
    ['{"a":1,"constructor":2}', '{"a":1}', ["- .constructor: 2"]],
    ['{"1a":1,"$_b1":1}', "{}", ['- ["1a"]: 1', "- .$_b1: 1"]],
  ];
  for (const [old, now, lines] of cases) assert.deepEqual(of(old, now), lines, `${old} ${now}`);
  const nested = (value: number) => "[".repeat(50_000) + value + "]".repeat(50_000);
  assert.equal(of(nested(1), nested(2))?.length, 2);
});

test("what only looks like JSON is text, and so is JSON beside a text", () => {
  assert.deepEqual(of("[section]\na=1", "[section]\na=2"), ["- a=1", "+ a=2"]);
  assert.deepEqual(of('{"a":1}', "{"), ['- {"a":1}', "+ {"]);
  assert.deepEqual(of("[", "[1]"), ["- [", "+ [1]"]);
  assert.deepEqual(of("1", "2"), ["- 1", "+ 2"]);
});

test("the lines are the fewest that lead from one text to the other", () => {
  // All texts of one to four lines, each of them a or b; and two that a greedy choice at any line gets wrong.
  const texts = [["a"], ["b"]];
  for (const text of texts) {
    if (text.length < 4) texts.push([...text, "a"], [...text, "b"]);
  }
  texts.push([..."dcbacd"], [..."eaaace"]);
  for (const old of texts) {
    for (const now of texts) {
      const lines = of(old.join("\n"), now.join("\n")) ?? [];
      const shown = `${old} ${now}: ${lines}`;
      assert.equal(lines.length, old.length + now.length - 2 * commonOf(old, now), shown);
      assert.ok(leads(lines, old, now), shown);
    }
  }
});

/** The length of the longest common subsequence. */
function commonOf([a, ...old]: readonly string[], [b, ...now]: readonly string[]): number {
  if (a === undefined || b === undefined) return 0;
  if (a === b) return 1 + commonOf(old, now);
  return Math.max(commonOf(old, [b, ...now]), commonOf([a, ...old], now));
}

/** Whether the lines, in their order and with what both texts have between them, lead from one text to the other. */
function leads(
  lines: readonly string[],
  old: readonly string[],
  now: readonly string[],
): boolean {
  const [line, ...others] = lines;
  if (line === undefined && old.length === 0 && now.length === 0) return true;
  return (line !== undefined && line === `- ${old[0]}` && leads(others, old.slice(1), now)) ||
    (line !== undefined && line === `+ ${now[0]}` && leads(others, old, now.slice(1))) ||
    (old.length > 0 && old[0] === now[0] && leads(lines, old.slice(1), now.slice(1)));
}

test("no more than 40 lines are shown, unless there is just one more", () => {
  const numbers = (count: number) => Array.from({ length: count }, (_, i) => i).join("\n");
  // The empty line that was there is one of them.
  assert.equal(of("", numbers(40))?.at(-1), "+ 39");
  assert.equal(of("", numbers(40))?.length, 41);
  assert.equal(of("", numbers(41))?.at(-1), "… 2 more");
  assert.equal(of("", numbers(41))?.length, 41);
});

test("of very long texts, all that is between their first and last change is shown", () => {
  const text = (count: number, word: string) =>
    Array.from({ length: count }, (_, i) => i === 1_000 ? "same" : `${word} ${i}`).join("\n");
  const more = (count: number) => of(text(count, "old"), text(count, "new"))?.at(-1);
  assert.equal(more(2_000), `… ${2 * 1_999 - 40} more`);
  const lines = of(`first\n${text(2_001, "old")}\nlast`, `first\n${text(2_001, "new")}\nlast`);
  assert.equal(lines?.at(0), "- old 0");
  assert.equal(lines?.at(-1), `… ${2 * 2_001 - 40} more`);
});
