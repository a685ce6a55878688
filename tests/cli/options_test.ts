// The command line: what it asks for, and what is not understood.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { checkCommand, minBackoff, parseDuration, parseOptions } from "../../_cli/options.ts";
import { HELP, suggest, UsageError } from "../../_cli/usage.ts";
import { root } from "../npm/root.ts";
import { temporaryFolder } from "./_program.ts";

test("without options, nothing is asked for but the targets", () => {
  const { access, ...options } = parseOptions(["a", "b"]);
  assert.deepEqual(options, {
    targets: ["a", "b"],
    interval: 30_000,
    concurrency: 1,
    ...{ diff: false, json: false, once: false, wait: false, help: false, version: false },
  });
  assert.deepEqual([...access.headers], []);
  assert.deepEqual(Object.keys(access), ["headers"]);
});

test("every option is taken as it is given", async (t) => {
  const file = join(await temporaryFolder(t), "token");
  await writeFile(file, " s3cret\n");
  const { access, filter, command, ...options } = parseOptions([
    ...["--diff", "--json", "--once", "--wait", "-h", "--version"],
    ...["--interval=5", "--interval", "2m", "--sources", "s.json", "--checkpoint", "state"],
    ...["--filter", "*.csv", "--exec", "put {key}", "--concurrency", "16", "--download", "out"],
    ...["--metrics", ":90", "--header", "a:1", "--header", "b : 2:3 ", "--token-file", file],
    ...["--endpoint", "http://h", "t"],
  ]);
  assert.deepEqual(options, {
    targets: ["t"],
    sources: "s.json",
    interval: 120_000,
    download: "out",
    concurrency: 16,
    checkpoint: "state",
    metrics: { port: 90 },
    ...{ diff: true, json: true, once: true, wait: true, help: true, version: true },
  });
  assert.ok(filter?.("a.csv") && !filter("a.json"));
  assert.deepEqual(command?.words, ["put", "{key}"]);
  assert.deepEqual([...access.headers], [["a", "1"], ["b", "2:3"]]);
  assert.equal(access.endpoint, "http://h");
  assert.equal(await access.bearerToken?.(), "s3cret");
});

test("durations are in seconds, unless they say otherwise", () => {
  const cases: [string, number][] = [
    ["5", 5_000],
    ["0.5s", 500],
    ["500ms", 500],
    ["1.5m", 90_000],
    ["1h", 3_600_000],
  ];
  for (const [text, ms] of cases) assert.equal(parseDuration(text), ms, text);
  for (const text of ["0", "-5", "5d", "", "1.", "x5s", "5 s"]) {
    assert.throws(() => parseDuration(text), {
      constructor: UsageError,
      message: `Cannot read the interval '${text}': say 500ms, 5s, 2m or 1h`,
    });
  }
});

test("the first wait after a failure is short, as somebody may be watching", () => {
  assert.equal(minBackoff(100), 200);
  assert.equal(minBackoff(500), 1_000);
  assert.equal(minBackoff(30_000), 1_000);
});

test("an address for metrics is a port, with or without a host", () => {
  const cases: [string, object][] = [
    [":90", { port: 90 }],
    ["0", { port: 0 }],
    ["127.0.0.1:65535", { host: "127.0.0.1", port: 65_535 }],
    ["[::1]:90", { host: "::1", port: 90 }],
  ];
  for (const [text, address] of cases) {
    assert.deepEqual(parseOptions(["--metrics", text]).metrics, address, text);
  }
  for (const text of ["x", "::1:90", ":", "65536", ":90x"]) {
    assert.throws(() => parseOptions(["--metrics", text]), {
      constructor: UsageError,
      message: new RegExp(`metrics at '${text}'`),
    });
  }
});

test("what is not understood is named, and no secret is repeated", () => {
  const wrong: [string[], RegExp][] = [
    [["--interval"], /^Cannot read --interval as its value is missing$/],
    [["-i"], /^Cannot read -i as its value is missing$/],
    [["--filter="], /^Cannot read --filter as its value is missing$/],
    [["--json=1"], /^Cannot read --json as it takes no value$/],
    [["--jsn"], /^Cannot read --jsn as there is no such option: did you mean --json\?$/],
    [["-x"], /^Cannot read -x as there is no such option: /],
    [["--toString"], /^Cannot read --toString as there is no such option: see --help$/],
    [["-i", "0"], /interval '0'/],
    [["--concurrency", "0"], /^Cannot handle '0' events at once/],
    [["--concurrency", "1.5"], /^Cannot handle '1.5' events at once/],
    [["--concurrency", "1000000"], /^Cannot handle '1000000' events at once/],
    [["--header", "s3cret"], /^Cannot read a header: say --header 'Name: value'$/],
    [["--header", ":s3cret"], /^Cannot read a header/],
  ];
  for (const [args, message] of wrong) {
    assert.throws(() => parseOptions(args), { constructor: UsageError, message }, args.join(" "));
  }
});

test("a command that needs a file needs a download", () => {
  const check = (...args: string[]) => checkCommand(parseOptions(args));
  assert.throws(() => check("--exec", "cat {file}"), {
    constructor: UsageError,
    message: /\{file\} needs --download/,
  });
  check("--exec", "cat {file}", "--download", "out");
  check("--exec", "echo {key}");
  check();
});

test("a name is guessed where it is close", () => {
  const names = ["diff", "json", "interval", "filter"];
  const guesses: [string, string | undefined][] = [
    ["dif", "diff"],
    ["inter", "interval"],
    ["diff", "diff"],
    ["difff", "diff"],
    ["jsno", undefined],
    ["jso_", "json"],
    ["_json", "json"],
    ["intreval", "interval"],
    ["intrevla", undefined],
    ["fitler", "filter"],
    ["zzzzzz", undefined],
    ["x", undefined],
  ];
  for (const [typed, meant] of guesses) assert.equal(suggest(typed, names), meant, typed);
  assert.equal(suggest("a", []), undefined);
  // The closest one, wherever it stands.
  assert.equal(suggest("filtex", ["falter", "filter", "filler"]), "filter");
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
