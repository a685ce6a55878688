// What options may be: a value of the wrong kind is a TypeError, a number out of range a RangeError.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  checkCount,
  checkFunction,
  checkName,
  checkPositive,
  checkShare,
} from "../../_errors/checks.ts";

type Check = (verb: string, option: string, value: unknown) => void;

/** Throws unless the check takes the one values, and refuses the others with the message. */
function holds(check: Check, taken: readonly unknown[], refused: readonly unknown[], why: string) {
  for (const value of taken) check("poll", "option", value);
  for (const value of refused) {
    const message = `Cannot poll as 'option' must be ${why}: current value is ${value}`;
    assert.throws(() => check("poll", "option", value), { name: "RangeError", message });
  }
}

test("a positive number is above zero and finite", () => {
  const refused = [0, -1, Infinity, NaN];
  holds(checkPositive, [Number.MIN_VALUE, 1, Number.MAX_VALUE], refused, "positive and finite");
});

test("a share is from 0 to 1, both included", () => {
  holds(checkShare, [0, 0.5, 1], [-0.1, 1.1, Infinity, NaN], "from 0 to 1");
});

test("a count is a whole number from 1 up", () => {
  const refused = [0, -1, 1.5, 2 ** 53, Infinity, NaN];
  holds(checkCount, [1, Number.MAX_SAFE_INTEGER], refused, "a whole number above zero");
});

test("what is not a number is told by its type", () => {
  for (const check of [checkPositive, checkShare, checkCount] as Check[]) {
    for (const value of ["1", undefined, null, 1n, [1]]) {
      const message = `Cannot poll as 'option' must be a number: current value is of type ` +
        typeof value;
      assert.throws(() => check("poll", "option", value), { name: "TypeError", message });
    }
  }
});

test("a name is one line of text that is not empty", () => {
  const check: (verb: string, name: unknown) => void = checkName;
  check("watch", "a name: äöü 😀");
  for (const name of ["", undefined, null, 7, ["name"]]) {
    const message = "Cannot watch as 'name' must be a string that is not empty";
    assert.throws(() => check("watch", name), { name: "TypeError", message });
  }
  for (const name of ["a\nb", "a\u001b[2J", "\ud800", "a".repeat(2_001)]) {
    assert.throws(() => check("watch", name), (error: Error) => {
      assert.equal(error.name, "TypeError");
      assert.match(error.message, /^Cannot watch '.+' as 'name' must be one line of plain text$/);
      return true;
    });
  }
});

test("a function is one, or absent", () => {
  checkFunction("poll", "option", undefined);
  checkFunction("poll", "option", () => {});
  checkFunction("poll", "option", class {});
  for (const value of [null, {}, "f", 0]) {
    const message = `Cannot poll as 'option' must be a function: current value is of type ` +
      typeof value;
    assert.throws(() => checkFunction("poll", "option", value), { name: "TypeError", message });
  }
});
