// A file of targets: what it may hold, and the program that follows it.
import assert from "node:assert/strict";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { test, type TestContext } from "node:test";
import { parseOptions } from "../../_cli/options.ts";
import { optionsOf, parseSources, prepare } from "../../_cli/sources_file.ts";
import { UsageError } from "../../_cli/usage.ts";
import { Cli, cli, temporaryFolder } from "./_program.ts";

const options = { timeout: 60_000 };
/** Whether the runtime says where a text is not JSON. */
const lines = process.versions.bun === undefined;

test("a file of targets is understood as a whole, or not at all", () => {
  const entries = parseSources('["a", {"target": "b", "interval": 5, "headers": {"x": "y"}}]', "f");
  assert.deepEqual(entries, [{ target: "a" }, {
    target: "b",
    interval: 5,
    headers: { x: "y" },
  }]);
  const wrong: readonly (readonly [string, RegExp])[] = [
    ["{}", /it is not a list/],
    ['["a",\n"s3cret" x]', lines ? /as it is not JSON: see line 2$/ : /as it is not JSON$/],
    ["[", /as it is not JSON$/],
    ['["a", 5]', /neither a string nor an object in target 2/],
    ['["a", null]', /neither a string nor an object in target 2/],
    ['[["a"]]', /neither a string nor an object in target 1/],
    ['[{"interval": 5}]', /'target' is missing in target 1/],
    ['[{"target": ""}]', /'target' is not what/],
    ['[{"target": "a", "header": {}}]', /no such field as 'header' \(did you mean 'headers'\?\)/],
    ['[{"target": "a", "zzzzzzzz": 5}]', /no such field as 'zzzzzzzz' in target 1$/],
    ['[{"target": "a", "toString": 5}]', /no such field as 'toString'/],
    ['[{"target": "a", "headers": {"x": 5}}]', /'headers' is not what/],
    ['[{"target": "a", "headers": {"w": "", "x": 5}}]', /'headers' is not what/],
    ['[{"target": "a", "headers": ["x"]}]', /'headers' is not what/],
    ['[{"target": "a", "headers": null}]', /'headers' is not what/],
    ['[{"target": "a", "headers": "x"}]', /'headers' is not what/],
    ['[{"target": "a", "interval": ""}]', /'interval' is not what/],
    ['[{"target": "a", "interval": true}]', /'interval' is not what/],
    ['[{"target": "a", "prefix": 5}]', /'prefix' is not what/],
    ['[{"target": "a", "tokenFile": 5}]', /'tokenFile' is not what/],
    ['[{"target": "a", "endpoint": 5}]', /'endpoint' is not what/],
    ['[{"target": "a", "download": ""}]', /'download' is not what/],
    ['[{"target": "a", "filter": 5}]', /'filter' is not what/],
  ];
  for (const [text, message] of wrong) {
    assert.throws(() => parseSources(text, "f"), (error: Error) => {
      assert.match(error.message, message);
      assert.doesNotMatch(error.message, /s3cret/);
      return error instanceof UsageError;
    });
  }
});

test("what a target says goes before what the command line says", () => {
  const given = parseOptions([
    "-i",
    "5",
    "--header",
    "a: 1",
    "--header",
    "b: 1",
    "--filter",
    "*.x",
  ]);
  const { interval, access, filter, download } = optionsOf(
    { target: "t", interval: "2m", headers: { b: "2" }, filter: "*.y", download: "d" },
    given,
  );
  assert.equal(interval, 120_000);
  assert.deepEqual([...access.headers], [["a", "1"], ["b", "2"]]);
  assert.ok(filter?.("a.y") && !filter("a.x"));
  assert.equal(download, "d");
  assert.equal(optionsOf({ target: "t" }, given).interval, 5_000);
  assert.throws(
    () => optionsOf({ target: "t", headers: { "a b": "s3cret" } }, given),
    (error: Error) => error instanceof UsageError && !error.message.includes("s3cret"),
  );
});

test("a target has its own token and endpoint, or those of the command line", async (t) => {
  const folder = await temporaryFolder(t);
  await writeFile(join(folder, "one"), "first\n");
  await writeFile(join(folder, "two"), " second");
  const args = ["--token-file", join(folder, "one"), "--endpoint", "http://one"];
  const given = parseOptions([...args, "--filter", "*.x", "--download", "d"]);
  const plain = optionsOf({ target: "t" }, given);
  assert.equal(await plain.access.bearerToken?.(), "first");
  assert.deepEqual([plain.access.endpoint, plain.download], ["http://one", "d"]);
  assert.ok(plain.filter?.("a.x") && !plain.filter("a.y"));
  const { access } = optionsOf(
    { target: "t", tokenFile: join(folder, "two"), endpoint: "http://two" },
    given,
  );
  assert.equal(await access.bearerToken?.(), "second");
  assert.equal(access.endpoint, "http://two");
});

test("a target is prepared as a whole", async () => {
  const entry = { target: "./folder", prefix: "in/", interval: "100ms" };
  const { target, options, pace } = await prepare(entry, parseOptions(["-i", "5"]));
  assert.match(target.source.name, /^file:.*\/folder\/in\/$/);
  assert.deepEqual([options.interval, pace], [100, { interval: 100, minBackoff: 200 }]);
  const given = parseOptions(["--exec", "cat {file}"]);
  await assert.rejects(prepare(entry, given), { constructor: UsageError, message: /--download/ });
  await prepare({ ...entry, download: "out" }, given);
});

test("the group follows the file, and a broken one leaves it as it is", options, async (t) => {
  const folder = await temporaryFolder(t);
  for (const name of ["one", "two"]) {
    await mkdir(join(folder, name));
    await writeFile(join(folder, name, `of ${name}`), "");
  }
  const keys: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    const key = request.headers["x-key"];
    if (keys.at(-1) !== key) keys.push(String(key));
    response.end(`answer for ${key}`);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/x`;
  const file = join(folder, "sources.json");
  const say = async (text: string) => {
    await writeFile(`${file}.new`, text);
    await rename(`${file}.new`, file);
  };
  const [one, two] = [join(folder, "one"), join(folder, "two")];
  const web = (key: string) => ({ target: url, interval: "100ms", headers: { "x-key": key } });

  await say(JSON.stringify([{ target: one, interval: 0.1 }, web("old")]));
  const program = new Cli(t, ["--sources", file, "-i", "200ms", "--json"]);
  await program.says('"key":"of one"');
  await program.says('"size":14');

  await say("[");
  await program.says("as it is not JSON");
  await writeFile(join(one, "still"), "");
  await program.says('"key":"still"');

  // One is removed, one comes, one is another now.
  await say(JSON.stringify([two, web("new!!")]));
  await program.says('"key":"of two"');
  await program.says('"size":16');
  await writeFile(join(one, "unseen"), "");
  await writeFile(join(two, "seen"), "");
  await program.says('"key":"seen"');
  program.signal("SIGTERM");
  const { code, stdout, stderr } = await program.ended;
  assert.equal(code, 0);
  assert.doesNotMatch(stdout, /unseen/);
  assert.deepEqual(keys, ["old", "new!!"]);
  assert.equal(stderr.match(/"type":"recovered"/g)?.length, 1, stderr);
});

test("a file that is broken from the start, and one that is read once", options, async (t) => {
  const folder = await folderWith(t, "a", "b");
  const file = join(folder, "sources.json");
  const missing = await cli(t, ["--sources", file]);
  assert.equal(missing.code, 1);
  assert.match(missing.stderr, /sources\.json.*\n$/);
  await writeFile(file, JSON.stringify([{ target: join(folder, "in"), filter: "b" }]));
  const { code, stdout } = await cli(t, ["--sources", file, "--once", "--json"]);
  assert.equal(code, 0);
  assert.equal(JSON.parse(stdout).key, "b");
  await writeFile(file, '["in", "in"]');
  assert.equal((await cli(t, ["--sources", file, "--once"])).code, 2);
  const twice = await cli(t, ["--sources", file]);
  assert.equal(twice.code, 1);
  assert.match(twice.stderr, /is there twice/);
});

async function folderWith(t: TestContext, ...names: string[]): Promise<string> {
  const folder = await temporaryFolder(t);
  await mkdir(join(folder, "in"));
  for (const name of names) await writeFile(join(folder, "in", name), "");
  return folder;
}
