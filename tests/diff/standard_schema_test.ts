// What a schema finds, in one line; and what is a schema.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  checkSchema,
  type StandardIssue,
  type StandardResult,
  type StandardSchemaV1,
  validated,
} from "../../_diff/standard_schema.ts";

type Result = StandardResult<string>;

const schemaOf = (result: Result | Promise<Result>): StandardSchemaV1<unknown, string> => ({
  "~standard": { version: 1, vendor: "test", validate: () => result },
});

const messageOf = (...issues: StandardIssue[]): string => {
  try {
    validated(schemaOf({ issues }), 1);
  } catch (error) {
    return (error as Error).message;
  }
  assert.fail("it was taken");
};

test("a value that fits comes at once, or later where the schema needs time", async () => {
  assert.equal(validated(schemaOf({ value: "a" }), 1), "a");
  assert.equal(await validated(schemaOf(Promise.resolve({ value: "a" })), 1), "a");
  const issues = [{ message: "no" }];
  await assert.rejects(async () => await validated(schemaOf(Promise.resolve({ issues })), 1), {
    message: "no",
  });
});

test("the first three issues are told, each with its path, and how many more there are", () => {
  assert.equal(messageOf({ message: "a" }), "a");
  assert.equal(messageOf({ message: "a", path: [] }), "a");
  assert.equal(messageOf({ message: "a", path: ["x", { key: "y" }, 0] }), "x.y.0: a");
  const many = [..."abcde"].map((message) => ({ message }));
  assert.equal(messageOf(...many.slice(0, 3)), "a; b; c");
  assert.equal(messageOf(...many.slice(0, 4)), "a; b; c; and 1 more");
  assert.equal(messageOf(...many), "a; b; c; and 2 more");
});

test("a schema is an object or a function with 'validate'", () => {
  checkSchema(undefined);
  checkSchema(schemaOf({ value: "a" }));
  checkSchema(Object.assign(() => {}, schemaOf({ value: "a" })));
  for (const wrong of [null, 7, {}, { "~standard": {} }, { "~standard": { validate: 1 } }]) {
    assert.throws(() => checkSchema(wrong), { name: "TypeError", message: /Standard Schema/ });
  }
});
