// The command of --exec: its words, what is refused, and what an event puts in.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fill, parseCommand, UnfitError, variables } from "../../_cli/command.ts";
import { UsageError } from "../../_cli/usage.ts";

const facts = { key: "a b'", type: "added", source: "s", size: "1", etag: "", file: "" };

test("a command is split into words once, before any key is put in", () => {
  const command = parseCommand(`put 'x y' "it's" a\\ b s3://t/{key} -- {key}`);
  assert.deepEqual(fill(command, facts), [
    ...["put", "x y", "it's", "a b", "s3://t/a b'", "--", "a b'"],
  ]);
  const every = parseCommand("put {type}-{size} {source}{etag}{file}");
  assert.deepEqual(fill(every, facts), ["put", "added-1", "s"]);
});

test("quotes and backslashes are those of a shell", () => {
  const cases: [string, string[]][] = [
    ["  a\t b\n", ["a", "b"]],
    [`a '' "" b`, ["a", "", "", "b"]],
    [`a'b c'"d e"f`, ["ab cd ef"]],
    [String.raw`"a\"b" "a\\b" "a\nb"`, ['a"b', "a\\b", "a\\nb"]],
    [String.raw`'a\b' '\' a\'b`, ["a\\b", "\\", "a'b"]],
    [String.raw`\a \\ a\ b`, ["a", "\\", "a b"]],
    [String.raw`a b\ `.trim(), ["a", "b\\"]],
  ];
  for (const [text, words] of cases) assert.deepEqual(parseCommand(text).words, words, text);
});

test("a key is no option, unless the command says so", () => {
  const filled = (text: string, key: string) => fill(parseCommand(text), { ...facts, key });
  assert.deepEqual(filled("cat -- {key}", "-n"), ["cat", "--", "-n"]);
  assert.deepEqual(filled("cat --name={key} ./{key}", "-n"), ["cat", "--name=-n", "./-n"]);
  for (const text of ["cat {key}", "cat {key} -- x"]) {
    assert.throws(() => filled(text, "-n"), {
      constructor: UnfitError,
      message: /begins with '-'/,
    });
  }
  // Without a key in it, a word is what it is.
  assert.deepEqual(filled("cat -n {type}", "-x"), ["cat", "-n", "added"]);
});

test("a key with a NUL is no argument, and no variable", () => {
  const unfit = { ...facts, key: "a\0" };
  assert.throws(() => fill(parseCommand("cat ./{key}"), unfit), {
    constructor: UnfitError,
    message: /NUL/,
  });
  assert.deepEqual(fill(parseCommand("cat {type}"), unfit), ["cat", "added"]);
  const { key: _, ...rest } = facts;
  const named = { KOPRS_TYPE: "added", KOPRS_SOURCE: "s", KOPRS_SIZE: "1" };
  assert.deepEqual(variables(unfit), { ...named, KOPRS_ETAG: "", KOPRS_FILE: "" });
  assert.deepEqual(variables({ ...facts, ...rest, key: "k" }), {
    ...named,
    KOPRS_KEY: "k",
    KOPRS_ETAG: "",
    KOPRS_FILE: "",
  });
});

test("a command knows whether it needs a file", () => {
  assert.equal(parseCommand("cat {key}").needsFile, false);
  assert.equal(parseCommand("cat x={file} {key}").needsFile, true);
});

test("a command whose key would be read as a program is refused", () => {
  for (
    const text of [
      ..."sh -c {key}|bash -xc {key}|sh {key}|/bin/sh -c {key}|python3 -c {key}|node -e {key}"
        .split("|"),
      ..."ssh host {key}|env {key}|sudo sh -c {key}|awk {key}|sed -n -e {key}".split("|"),
      ..."env A=1 {key}|xargs a&{key}|sh script.sh -c {key}|cmd /c {key}|sh -x {key}".split("|"),
      ..."C:\\\\bin\\\\sh.exe {key}|node --eval {key}|CMD /q /C {key}|xargs x://y&{key} z&{key}"
        .split("|"),
      ...["sh -c 'echo {key}'", "xargs 'a;{key}'", "xargs '{key} b'"],
    ]
  ) {
    assert.throws(
      () => parseCommand(text),
      { constructor: UsageError, message: /KOPRS_KEY/ },
      text,
    );
  }
  for (
    const text of [
      ...["sh -c 'cat \"$1\"' _ {key}", "sed -n p {file}", "wc -c {key}", "sh script.sh {key}"],
      ...["curl -d x https://h/?a=1&key={key}", "put -- {key}", "node -x script.js {key}"],
    ]
  ) assert.ok(parseCommand(text).words.length > 2, text);
});

test("a command that is none says why", () => {
  const wrong: [string, RegExp][] = [
    ["", /names no program/],
    ["'' a", /names no program/],
    ["{key}", /the program must not depend on a key/],
    ["x{type} a", /the program must not depend on a key/],
    ["echo 'a", /a ' in it is not closed/],
    ["echo \"a'", /a " in it is not closed/],
  ];
  for (const [text, message] of wrong) {
    assert.throws(() => parseCommand(text), { constructor: UsageError, message }, text);
  }
});
