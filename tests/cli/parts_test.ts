// Globs, commands, places of downloads, differences, the line on a terminal: by themselves.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join, resolve, sep } from "node:path";
import { test } from "node:test";
import { fill, parseCommand, UnfitError } from "../../_cli/command.ts";
import { difference } from "../../_cli/diff.ts";
import { keyOfUrl, placeOf } from "../../_cli/download.ts";
import { compileGlob } from "../../_cli/glob.ts";
import { isLasting } from "../../_cli/lasting.ts";
import { parseOptions } from "../../_cli/options.ts";
import { Progress } from "../../_cli/progress.ts";
import { statusLine } from "../../_cli/status_line.ts";
import { HELP, suggest, UsageError } from "../../_cli/usage.ts";
import { ExternalError } from "../../_errors/external_error.ts";
import { root } from "../npm/root.ts";

test("a glob matches what a shell would", () => {
  const cases: [string, string[], string[]][] = [
    ["*.csv", ["a.csv", "in/b.csv"], ["a.csvx", "a.csv/b"]],
    ["in/*.csv", ["in/a.csv"], ["in/x/a.csv", "a.csv"]],
    ["in/**/*.csv", ["in/a.csv", "in/x/y/a.csv"], ["a.csv"]],
    ["**", ["a", "a/b"], []],
    ["a?c", ["abc"], ["ac", "a/c"]],
    ["[!a-c]x", ["dx"], ["ax", "/x"]],
    ["[abc].{json,y{a,}ml}", ["a.json", "b.yaml", "c.yml"], ["d.json", "a.js"]],
    ["a\\*+(b).$", ["a*+(b).$"], ["aa+(b).$"]],
  ];
  for (const [pattern, yes, no] of cases) {
    const matches = compileGlob(pattern);
    for (const key of yes) assert.ok(matches(key), `${pattern} ${key}`);
    for (const key of no) assert.ok(!matches(key), `${pattern} ${key}`);
  }
  for (const pattern of ["[a", "{a", "[z-a]"]) {
    assert.throws(() => compileGlob(pattern), UsageError, pattern);
  }
});

const facts = { key: "a b'", type: "added", source: "s", size: "1", etag: "", file: "" };

test("a command is split into words once, before any key is put in", () => {
  const command = parseCommand(`put 'x y' "it's" a\\ b s3://t/{key} -- {key}`);
  assert.deepEqual(fill(command, facts), [
    ...["put", "x y", "it's", "a b", "s3://t/a b'", "--", "a b'"],
  ]);
  assert.equal(fill(parseCommand("cat -- {key}"), { ...facts, key: "-n" })[2], "-n");
  assert.throws(() => fill(parseCommand("cat {key}"), { ...facts, key: "-n" }), UnfitError);
  assert.throws(() => fill(parseCommand("cat {key}"), { ...facts, key: "a\0" }), UnfitError);
});

test("a command whose key would be read as a program is refused", () => {
  for (
    const text of [
      ..."sh -c {key}|bash -xc {key}|sh {key}|/bin/sh -c {key}|python3 -c {key}|node -e {key}"
        .split("|"),
      ..."ssh host {key}|{key}|env {key}|sudo sh -c {key}|awk {key}|sed -n -e {key}".split("|"),
      ...["sh -c 'echo {key}'", "xargs 'a;{key}'", "", "echo 'a"],
    ]
  ) assert.throws(() => parseCommand(text), UsageError, text);
  for (const text of ["sh -c 'cat \"$1\"' _ {key}", "sed -n p {file}", "wc -c {key}"]) {
    assert.ok(parseCommand(text).words.length > 2, text);
  }
});

test("no key leaves the folder of the downloads, and no two keys share a place", () => {
  const keys = ["a", "../a", "/a", "a//b", "a/./b", "..", ".", "a/", "%2E%2E/a", "a%", "a\\..\\b"];
  const places = keys.map((key) => placeOf("out", key));
  for (const place of places) assert.ok(resolve(place).startsWith(resolve("out") + sep), place);
  assert.equal(new Set(places).size, keys.length, places.join(" "));
  assert.throws(() => placeOf("out", "x".repeat(300)), UnfitError);
  assert.equal(keyOfUrl("https://h:1/a/?token=x"), "h:1/a/index");
});

test("a difference names lines, or the paths of JSON", () => {
  const bytes = (text: string) => new TextEncoder().encode(text);
  const of = (a: string, b: string) => difference(bytes(a), bytes(b));
  assert.deepEqual(of("a\nb\nc", "a\nx\nc\nd"), ["- b", "+ x", "+ d"]);
  assert.deepEqual(of('{"a":[1,2],"b c":1}', '{"a":[1,3],"d":null}'), [
    ...["- .a[1]: 2", "+ .a[1]: 3", '- ["b c"]: 1', "+ .d: null"],
  ]);
  assert.equal(difference(new Uint8Array([0xff]), bytes("a")), undefined);
  assert.equal(of("", Array.from({ length: 100 }, (_, i) => i).join("\n"))?.length, 41);
});

test("the line on a terminal tells of a listing, a wait and failures", () => {
  const status = { phase: "waiting", polls: 3, events: 1, failures: 2, nextPoll: 5_000 } as const;
  const progress = new Progress();
  const watched = { name: "s3://b", status, progress };
  assert.equal(
    statusLine([watched], 1_000, 0),
    "3 polls · 1 event · 2 failed in a row · next in 4.0 s",
  );
  assert.match(statusLine([watched, watched], 1_000, 0), /^2 targets · 6 polls · 2 failing/);
  Object.assign(progress, { startedAt: 0, listed: 12_000, known: 24_000 });
  assert.equal(
    statusLine([watched], 1_000, 2_000),
    "polling [########--------] 12,000 objects · 2.0 s",
  );
  progress.known = undefined;
  assert.match(statusLine([watched], 1_000, 2_000), /^polling \[-*###-*\] 12,000 objects/);
});

test("options take a bare number for seconds, and are guessed where they are close", () => {
  assert.equal(parseOptions(["--interval", "5"]).interval, 5_000);
  assert.equal(parseOptions(["-i", "1.5m"]).interval, 90_000);
  assert.deepEqual(parseOptions(["--metrics", ":90"]).metrics, { port: 90 });
  assert.deepEqual(parseOptions(["--metrics", "[::1]:90"]).metrics, { host: "::1", port: 90 });
  assert.throws(
    () => parseOptions(["--header", "s3cret"]),
    (error: Error) => error instanceof UsageError && !error.message.includes("s3cret"),
  );
  for (
    const args of [["--interval"], ["--json=1"], ["--metrics", "x"], ["-i", "0"], [
      "--concurrency",
      "0",
    ]]
  ) {
    assert.throws(() => parseOptions(args), UsageError, args.join(" "));
  }
  assert.equal(suggest("dif", ["diff", "json"]), "diff");
  assert.equal(suggest("zzzzzz", ["diff", "json"]), undefined);
});

test("what passes by itself is told from what does not", () => {
  const error = (code: "store" | "network" | "status", status?: number, cause?: unknown) =>
    new ExternalError(code, "no", { ...(status !== undefined && { status }), cause });
  const missing = Object.assign(new Error("gone"), { code: "ENOENT" });
  for (const lasting of [error("store", 403), error("store", undefined, missing)]) {
    assert.ok(isLasting(lasting));
  }
  const passing = [
    error("network", undefined, missing),
    error("status", 503),
    error("status", 429),
  ];
  for (const one of passing) assert.ok(!isLasting(one));
});

const guide = join(root, "docs", "cli.md");

test("help and guide name every option", {
  skip: !existsSync(guide) && "only in the repository itself",
}, () => {
  const names = HELP.match(/--[a-z-]+/g) ?? [];
  assert.ok(names.length > 12);
  const text = readFileSync(guide, "utf8");
  for (const name of names) {
    assert.match(text, new RegExp(`^\\| [^|]*${name}`, "m"), name);
    // It is known: what is wrong is its value, or nothing.
    assert.doesNotMatch(String(outcomeOf(() => parseOptions([name]))), /no such option/);
  }
});

function outcomeOf(body: () => unknown): unknown {
  try {
    return body();
  } catch (error) {
    return error;
  }
}
