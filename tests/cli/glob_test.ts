// The patterns of --filter.
import assert from "node:assert/strict";
import { test } from "node:test";
import { compileGlob } from "../../_cli/glob.ts";
import { UsageError } from "../../_cli/usage.ts";

test("a glob matches what a shell would", () => {
  const cases: [string, string[], string[]][] = [
    ["*.csv", ["a.csv", "in/b.csv"], ["a.csvx", "a.csv/b"]],
    ["in/*.csv", ["in/a.csv"], ["in/x/a.csv", "a.csv"]],
    ["in/**/*.csv", ["in/a.csv", "in/x/y/a.csv"], ["a.csv"]],
    ["**", ["a", "a/b", "a\nb"], []],
    ["in/a**b", ["in/ab", "in/axb", "in/a/x/b"], ["in/a", "in/a/x", "in/a*b/"]],
    ["a?c", ["abc"], ["ac", "a/c"]],
    ["[!a-c]x", ["dx"], ["ax", "/x"]],
    ["[^a-c]x", ["dx", "^x"], ["ax", "^a"]],
    ["x[]a]", ["x]", "xa"], ["x", "x[", "xb"]],
    ["x[!]a]", ["xb", "x["], ["x]", "xa"]],
    ["[[\\d^]x", ["[x", "\\x", "dx", "^x"], ["5x"]],
    ["[abc].{json,y{a,}ml}", ["a.json", "b.yaml", "c.yml"], ["d.json", "a.js"]],
    ["a\\*+(b).$", ["a*+(b).$"], ["aa+(b).$"]],
    ["a,b}c", ["a,b}c"], ["a", "a,bc"]],
    ["{a,b},c", ["a,c", "b,c"], ["a", "c"]],
    ["}{a,b}", ["}a", "}b"], ["}", "}a,b"]],
    ["a\\", ["a"], ["a\\"]],
  ];
  for (const [pattern, yes, no] of cases) {
    const matches = compileGlob(pattern);
    for (const key of yes) assert.ok(matches(key), `${pattern} ${key}`);
    for (const key of no) assert.ok(!matches(key), `${pattern} ${key}`);
  }
});

test("a glob that is not finished says what is wrong", () => {
  const wrong: [string, RegExp][] = [
    ["x[a", /filter 'x\[a': a '\[' in it is not closed/],
    ["{a", /filter '\{a': a '\{' in it is not closed/],
    ["{a,{b}", /a '\{' in it is not closed/],
    ["[z-a]", /a range in it is the wrong way round/],
  ];
  for (const [pattern, message] of wrong) {
    assert.throws(() => compileGlob(pattern), (error: Error) => {
      assert.match(error.message, message);
      return error instanceof UsageError;
    });
  }
});
