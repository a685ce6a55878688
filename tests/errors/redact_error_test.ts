// H9, B3: what was thrown is never passed on as it is, but as a copy without secrets.
import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { runInNewContext } from "node:vm";
import { ExternalError } from "@koprs/external/error";
import { reasonOf, redactError } from "../../_errors/redact.ts";

test("redactError copies name, code, message, stack and causes, and nothing else", () => {
  const inner = Object.assign(new TypeError("inner s3cret"), { code: "ECONNREFUSED" });
  const outer = Object.assign(new Error("outer https://u:p@h/?sig=x", { cause: inner }), {
    config: { headers: { authorization: "Bearer s3cret" } },
    code: 7,
  });
  const copy = redactError(outer, ["s3cret"]) as Error & {
    code: number;
    cause: Error & { code: string };
  };
  assert.notEqual(copy, outer);
  assert.equal(copy.message, "outer https://h/?sig=***");
  assert.equal(copy.code, 7);
  assert.equal(copy.cause.name, "TypeError");
  assert.equal(copy.cause.message, "inner ***");
  assert.equal(copy.cause.code, "ECONNREFUSED");
  assert(!inspect(copy).includes("s3cret"));
  assert(!("config" in copy));
  assert.equal(outer.message, "outer https://u:p@h/?sig=x", "the original is untouched");
});

test("redactError: aggregates, causes that are no errors, circles, junk", () => {
  const aggregate = new AggregateError([new Error("first s3cret"), new Error("second")], "");
  assert.equal(
    (redactError(aggregate, ["s3cret"]) as Error & { cause: Error }).cause.message,
    "first ***",
  );
  assert.equal(redactError("a s3cret", ["s3cret"]), "a ***");
  assert.equal(redactError(undefined), "undefined");
  assert.equal(redactError(Object.create(null)), "an unprintable value");
  const circle = new Error("circle");
  circle.cause = circle;
  assert.equal((redactError(circle) as Error).message, "circle");
  const junk = Object.assign(new Error("x"), {
    message: { a: 1 },
    name: undefined,
    stack: 5,
    code: {},
  });
  const copy = redactError(junk) as Error;
  assert.equal(copy.message, "[object Object]");
  assert.equal(copy.name, "Error");
  assert.equal(copy.stack, "Error: [object Object]");
  assert.ok(!("code" in copy));
});

test("reasonOf: the messages down to the innermost cause, each once", () => {
  const inner = new Error("connection refused");
  assert.equal(
    reasonOf(new Error("fetch failed", { cause: inner })),
    "fetch failed: connection refused",
  );
  assert.equal(
    reasonOf(new Error("failed: connection refused", { cause: inner })),
    "failed: connection refused",
  );
  assert.equal(reasonOf(new AggregateError([inner], "")), "AggregateError: connection refused");
  assert.equal(reasonOf("text"), "text");
  assert.equal(reasonOf(new Error("")), "Error");
  const circle = new Error("circle");
  circle.cause = circle;
  assert.equal(reasonOf(circle), "circle");
  const nameless = Object.assign(new Error("", { cause: inner }), { name: "" });
  assert.equal(reasonOf(nameless), "connection refused");
  assert.equal(reasonOf({ message: "rejected", errors: "all" }), "rejected", "no list of errors");
});

test("of a long chain the first six errors are kept", () => {
  let chain: Error | undefined;
  for (const name of [..."hgfedcba"]) chain = new Error(`error ${name}`, { cause: chain });
  const kept = ["a", "b", "c", "d", "e", "f"].map((name) => `error ${name}`);
  assert.equal(reasonOf(chain), kept.join(": "));
  const messages: string[] = [];
  for (let at = redactError(chain); at instanceof Error; at = at.cause) messages.push(at.message);
  assert.deepEqual(messages, kept);
});

test("of a stack the first twenty calls are kept, whichever engine wrote it", () => {
  const v8 = Array.from({ length: 30 }, (_, i) => `    at call${i} (file:///a.js:${i}:1)`);
  const safari = Array.from({ length: 30 }, (_, i) => `call${i}@file:///a.js:${i}:1`);
  for (const frames of [v8, safari]) {
    const error = new Error("failed");
    error.stack = ["Error: failed", "which says more", ...frames].join("\n");
    const shown = frames.slice(0, 20).map((frame) => `    ${frame.trim()}`);
    assert.equal((redactError(error) as Error).stack, ["Error: failed", ...shown].join("\n"));
  }
});

test("a copy's name, stack and cause can be set and are not listed, as those of any error", () => {
  const copy = redactError(new Error("x", { cause: new Error("y") })) as Error;
  assert.deepEqual(Object.keys(copy), []);
  for (const property of ["name", "stack", "cause"]) {
    const { writable, configurable } = Object.getOwnPropertyDescriptor(copy, property) ?? {};
    assert.deepEqual({ writable, configurable }, { writable: true, configurable: true }, property);
  }
});

/** All that a user can get to see of it: printed in full, as JSON, and by its parts. */
function shown(thrown: unknown): string {
  const parts = [inspect(thrown, { depth: 20, showHidden: true }), JSON.stringify(thrown)];
  for (let at = thrown; at instanceof Error; at = at.cause) {
    parts.push(at.name, at.message, String(at.stack), String(at));
  }
  return parts.join("\n");
}

class CustomError extends Error {
  readonly token = "s3cret";
  override get name() {
    return "CustomError";
  }
  toJSON() {
    return { token: this.token };
  }
  override toString() {
    return this.token;
  }
  [inspect.custom]() {
    return `CustomError ${this.token}`;
  }
}

const axiosLike = () =>
  Object.assign(new Error("Request failed with status code 401"), {
    name: "AxiosError",
    code: "ERR_BAD_REQUEST",
    config: { headers: { Authorization: "Bearer s3cret" }, auth: { password: "s3cret" } },
    request: { _header: "GET / HTTP/1.1\r\nAuthorization: Bearer s3cret\r\n" },
    response: { status: 401, config: { headers: { Authorization: "Bearer s3cret" } } },
    toJSON: () => ({ config: "s3cret" }),
  });

const dirty: [string, () => unknown][] = [
  ["an error of axios", axiosLike],
  ["one as the cause", () => new Error("outer", { cause: axiosLike() })],
  ["one in an aggregate", () => new AggregateError([axiosLike()], "all")],
  [
    "one as the cause of an ExternalError",
    () => new ExternalError("store", "x", { cause: axiosLike() }),
  ],
  ["a class of the user's", () => new CustomError("custom")],
  [
    "own properties, also by symbols",
    () => Object.assign(new Error("x"), { a: "s3cret", [Symbol("b")]: "s3cret" }),
  ],
  ["a hidden property", () => Object.defineProperty(new Error("x"), "hidden", { value: "s3cret" })],
  [
    "an error of another realm",
    () => runInNewContext(`Object.assign(new TypeError("other realm"), { config: "s3cret" })`),
  ],
  ["an object in the place of an error", () => ({ message: "no error", headers: "s3cret" })],
  ["an object", () => ({ authorization: "s3cret", toJSON: () => "s3cret" })],
  ["a function", () => () => "s3cret"],
  ["a message that is a URL", () => new Error("cannot reach https://user:s3cret@host/")],
  ["a header in a message", () => new Error("sent Authorization: Bearer s3cret-0123")],
  [
    "a stack alone",
    () =>
      Object.assign(new Error("x"), { stack: "Error: x\n    at f (https://u:s3cret@h/a.js:1:2)" }),
  ],
  ["a name alone", () => Object.assign(new Error("x"), { name: "https://u:s3cret@h" })],
  ["a code alone", () => Object.assign(new Error("x"), { code: "https://u:s3cret@h" })],
];

for (const [what, make] of dirty) {
  test(`B3: ${what} is not passed on as it is`, () => {
    const thrown = make();
    const copy = redactError(thrown);
    assert.notEqual(copy, thrown);
    assert(!shown(copy).includes("s3cret"), shown(copy));
    assert(!shown(new ExternalError("internal", "x", { cause: thrown })).includes("s3cret"));
    assert(!reasonOf(thrown).includes("s3cret"));
  });
}

test("B3: what is known of an error of axios stays", () => {
  const copy = redactError(axiosLike()) as Error & { code: string };
  assert.equal(copy.message, "Request failed with status code 401");
  assert.equal(copy.name, "AxiosError");
  assert.equal(copy.code, "ERR_BAD_REQUEST");
  assert.match(copy.stack ?? "", /^AxiosError: Request failed with status code 401\n {4}at /);
  assert.deepEqual(Object.keys(copy), ["code"]);
});

test("B3: a copy is of the same class, where that is one of the language", () => {
  for (const Class of [TypeError, RangeError, SyntaxError, URIError]) {
    const copy = redactError(new Class("x")) as Error;
    assert(copy instanceof Class);
    assert.equal(copy.name, Class.name);
  }
  const other = redactError(runInNewContext(`new RangeError("x")`)) as Error;
  assert(other instanceof Error);
  assert.equal(other.name, "RangeError");
});

test("B3: whatever throws when it is looked at is read as far as that goes", () => {
  const thrower = () => {
    throw new Error("s3cret");
  };
  for (const property of ["name", "message", "stack", "code", "cause", "errors"]) {
    const error = Object.defineProperty(new Error("kept"), property, { get: thrower });
    assert(redactError(error) instanceof Error, property);
    assert.equal(typeof reasonOf(error), "string");
  }
  const traps = new Proxy({}, {
    get: (_, trap) => () => thrower.call(trap),
  });
  const { proxy, revoke } = Proxy.revocable(new Error("x"), {});
  revoke();
  for (const object of [new Proxy(new Error("x"), traps), proxy]) {
    assert.equal(redactError(object), "an unprintable value");
    assert.equal(reasonOf(object), "an unprintable value");
  }
  const text = { message: { toString: thrower } };
  assert.equal(redactError(Object.assign(new Error(), text)) instanceof Error, true);
});

test("B3: messages are one line, folded where they had several, and of bounded length", () => {
  // As zod reports.
  const issues = JSON.stringify(
    [{ code: "invalid_type", path: ["a"], message: "Required" }],
    null,
    2,
  );
  const folded = '[ { "code": "invalid_type", "path": [ "a" ], "message": "Required" } ]';
  assert.equal(reasonOf(new Error(issues)), folded);
  const forged = new Error("first\u2028second\u001b[31m\r\n  third\0");
  assert.equal(reasonOf(forged), "first second\\x1b[31m third\\x00");
  const copy = redactError(Object.assign(forged, { name: "A\nB", code: "C\nD" })) as
    & Error
    & { code: string };
  assert.equal(copy.message, "first second\\x1b[31m third\\x00");
  assert.equal(copy.name, "A B");
  assert.equal(copy.code, "C D");
  assert.equal(copy.stack?.split("\n")[0], `A B: ${copy.message}`);
  assert(copy.stack?.split("\n").slice(1).every((line) => /^ {4}at /.test(line)), copy.stack);
  const long = new Error("long ".repeat(100_000), { cause: new Error("c".repeat(100_000)) });
  assert(reasonOf(long).length <= 1_001);
  assert((redactError(long) as Error).message.length <= 1_001);
  assert(((redactError(long) as Error).stack?.length ?? 0) < 25_000);
});

test("B3: circles end", () => {
  const a: Error = new Error("a");
  const b = new Error("b", { cause: a });
  a.cause = b;
  const copy = redactError(a) as Error & { cause: Error };
  assert.equal(copy.cause.message, "b");
  assert.equal(copy.cause.cause, undefined);
  assert.equal(reasonOf(a), "a: b");
  const aggregate = new AggregateError([], "aggregate");
  aggregate.errors.push(aggregate);
  assert.equal((redactError(aggregate) as Error).cause, undefined);
});

test("a copy is not copied again, but for secrets that it may hold still", () => {
  const copy = redactError(new Error("with s3cret"));
  assert.equal(redactError(copy), copy);
  assert.equal(new ExternalError("store", "x", { cause: copy }).cause, copy);
  assert.equal((redactError(copy, ["s3cret"]) as Error).message, "with ***");
});
