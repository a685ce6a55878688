// The program as a shell runs it: what it prints, and what it exits with.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { config } from "../npm/root.ts";
import { Cli, cli, temporaryFolder } from "./_program.ts";

const options = { timeout: 60_000 };

async function folderOf(t: TestContext, files: Record<string, string>): Promise<string> {
  const folder = await temporaryFolder(t);
  await mkdir(join(folder, "in"));
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, "in", name), text);
  return folder;
}

test("help fits a screen, and names every option", options, async (t) => {
  const { code, stdout } = await cli(t, ["--help"]);
  assert.equal(code, 0);
  const lines = stdout.trimEnd().split("\n");
  assert.ok(lines.length <= 34, `${lines.length} lines`);
  for (const line of lines) assert.ok(line.length < 80, line);
  for (const name of ["--filter", "--exec", "--metrics", "--sources"]) {
    assert.ok(stdout.includes(name));
  }
});

test("it knows its version", options, async (t) => {
  assert.deepEqual(await cli(t, ["--version"]), {
    code: 0,
    stdout: `${config.version}\n`,
    stderr: "",
  });
});

test("what it does not understand is one line, and code 2", options, async (t) => {
  const wrong: readonly (readonly [string[], RegExp])[] = [
    [[], /no target is given/],
    [["in", "--intervall", "5s"], /did you mean --interval\?/],
    [["in", "--interval", "soon"], /interval 'soon'/],
    [["ftp://host/x"], /Cannot watch 'ftp:/],
    [["in", "--exec", "sh -c 'rm {key}'"], /say "\$KOPRS_KEY" there/],
    [["in", "./other", "in"], /a target is given twice/],
    [["http://user:s3cret@host:port/"], /^(?!.*s3cret)/],
    [["in", "--exec", "cat {file}"], /needs --download/],
  ];
  for (const [args, message] of wrong) {
    const { code, stdout, stderr } = await cli(t, args);
    assert.equal(code, 2, args.join(" "));
    assert.match(stderr, message);
    assert.equal(stderr.trimEnd().split("\n").length, 1, stderr);
    assert.equal(stdout, "");
  }
});

test("one poll, filtered, and then nothing new", options, async (t) => {
  const folder = await folderOf(t, { "a.csv": "1", "b.json": "{}" });
  const args = [join(folder, "in"), "--once", "--filter", "*.csv", "--checkpoint"];
  const first = await cli(t, [...args, join(folder, "state")]);
  assert.equal(first.code, 0);
  assert.match(first.stdout, /^\S+ {2}added {5}file:\S+ a\.csv {2}1 B\n$/);
  const second = await cli(t, [...args, join(folder, "state")]);
  assert.equal(second.code, 0);
  assert.match(second.stdout, /^\S+ {2}unchanged file:\S+\n$/);
});

test("what will not pass by itself ends it, unless it is told to wait", options, async (t) => {
  const folder = await temporaryFolder(t);
  const missing = join(folder, "missing");
  const { code, stderr } = await cli(t, [missing]);
  assert.equal(code, 1);
  assert.equal(stderr.trimEnd().split("\n").length, 1, stderr);
  assert.match(stderr, /does not exist/);
  const patient = new Cli(t, [missing, "--wait", "-i", "100ms", "--json"]);
  await patient.says('"attempt":2');
  await mkdir(missing);
  await writeFile(join(missing, "a"), "");
  await patient.says('"key":"a"');
  await patient.says('"type":"recovered"');
});

test("copies are kept, told apart from what was there, and removed", options, async (t) => {
  const folder = await folderOf(t, { "a.json": '{"n":1,"same":[1]}' });
  const args = ["--download", join(folder, "out"), "--diff", "-i", "100ms"];
  const program = new Cli(t, [join(folder, "in"), ...args]);
  const copy = join(folder, "out", "a.json");
  await program.says("added");
  assert.equal(await readFile(copy, "utf8"), '{"n":1,"same":[1]}');
  await writeFile(join(folder, "in/a.json"), '{"n":22,"same":[1]}');
  await program.says("+ .n: 22");
  assert.match(program.stdout, /- \.n: 1\n/);
  assert.equal(await readFile(copy, "utf8"), '{"n":22,"same":[1]}');
  await rm(join(folder, "in/a.json"));
  await program.says("removed");
  await assert.rejects(readFile(copy), { code: "ENOENT" });
  program.signal("SIGTERM");
  assert.equal((await program.ended).code, 0);
});

test(
  "a program is run for each event, again until it succeeds, and no key is code",
  options,
  async (t) => {
    const folder = await folderOf(t, { "$(touch x);'\"": "1", "b": "22" });
    const script = join(folder, "script.sh");
    // Fails the first time for each key.
    await writeFile(
      script,
      'test -e "$1.seen" || { touch "$1.seen"; exit 3; }\necho "$2 $KOPRS_SIZE $3"\n',
    );
    const command = `sh ${script} ${join(folder, "seen")}-{size} {type} {key}`;
    const program = new Cli(t, [join(folder, "in"), "--exec", command]);
    await program.says("added 1 $(touch x);'\"\n");
    await program.says("added 2 b\n");
    assert.match(program.stderr, /ended with exit code 3 \(attempt 1, again in 1\.\d s\)/);
    assert.equal(program.stderr.match(/attempt 1/g)?.length, 2);
    program.signal("SIGINT");
    assert.equal((await program.ended).code, 0);
  },
);

test(
  "with --once a program that fails is a failure, and the event comes again",
  options,
  async (t) => {
    const folder = await folderOf(t, { a: "1" });
    const args = [join(folder, "in"), "--once", "--checkpoint", join(folder, "state"), "--exec"];
    assert.equal((await cli(t, [...args, "sh -c 'exit 1'"])).code, 1);
    const { code, stdout } = await cli(t, [...args, "echo again {key}"]);
    assert.equal(code, 0);
    assert.match(stdout, /^again a$/m);
  },
);

test("a second signal ends it, whatever is still under way", options, async (t) => {
  const folder = await folderOf(t, { a: "1" });
  const script = join(folder, "script.sh");
  await writeFile(script, `echo begun; while test -e ${folder}/in; do sleep 0.05; done`);
  const program = new Cli(t, [join(folder, "in"), "--exec", `sh ${script}`]);
  await program.says("begun");
  program.signal("SIGINT");
  // It reads no more events from then on, but waits for the one that is being handled.
  program.signal("SIGTERM");
  assert.equal((await program.ended).code, 130);
});

test("side by side, each line whole, and what fails holds up no other", options, async (t) => {
  const folder = await folderOf(t, { a: "", b: "", c: "", bad: "" });
  const script = join(folder, "script.sh");
  // Each waits for the two others, so that one by one none would end.
  await writeFile(
    script,
    `test "$1" = bad && exit 4
    cd ${folder} && printf "$1-" && touch "$1.here"
    until test -e a.here && test -e b.here && test -e c.here; do sleep 0.05; done
    echo "-$1"\n`,
  );
  const args = [join(folder, "in"), "--once", "--checkpoint", join(folder, "state")];
  const all = await cli(t, [...args, "--concurrency", "4", "--exec", `sh ${script} {key}`]);
  assert.equal(all.code, 1);
  const lines = all.stdout.split("\n").filter((line) => /^\w+-/.test(line)).sort();
  assert.deepEqual(lines, ["a--a", "b--b", "c--c"]);
  assert.match(all.stderr, /Cannot handle 'bad' .*exit code 4$/m);
  const rest = await cli(t, [...args, "--exec", "echo again {key}"]);
  assert.equal(rest.code, 0);
  assert.deepEqual(rest.stdout.match(/^again .*$/gm), ["again bad"]);
});

test(
  "JSON lines, a key that must not be an option, and nobody who reads on",
  options,
  async (t) => {
    const folder = await folderOf(t, { "-rf": "1" });
    const args = [join(folder, "in"), "--json", "-i", "50ms", "--exec", "echo {key}"];
    const program = new Cli(t, args);
    await program.says("begins with '-'");
    const [line = ""] = program.stdout.split("\n");
    const { type, key, size } = JSON.parse(line);
    assert.deepEqual({ type, key, size }, { type: "added", key: "-rf", size: 1 });
    program.child.stdout?.destroy();
    // A line more is one too many for a reader that has gone.
    let files = 0;
    const writer = setInterval(() => writeFileSync(join(folder, "in", `f${files++}`), ""), 100);
    const { code } = await program.ended.finally(() => clearInterval(writer));
    assert.equal(code, 0);
    assert.doesNotMatch(program.stderr, /EPIPE/);
  },
);

test("an HTTP resource, its metrics, and the same failure told once", options, async (t) => {
  const answers = ["1", "2", 503, 503, 503, "3"];
  let requests = 0;
  const server = createServer((_, response) => {
    const answer = answers[Math.min(requests++, answers.length - 1)] ?? "";
    response.statusCode = typeof answer === "number" ? answer : 200;
    response.end(typeof answer === "number" ? "" : answer);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/x?token=s3cret`;
  const port = await freePort();
  const program = new Cli(t, [url, "-i", "50ms", "--metrics", `127.0.0.1:${port}`]);
  await program.says("again\n");
  const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  assert.match(metrics, /^koprs_external_polls_total\{[^}]*error_type="status"\} 3$/m);
  assert.match(metrics, /^koprs_external_events_total\{koprs_external_source="[^"]*"\} \d$/m);
  assert.match(metrics, /^koprs_external_poll_consecutive_failures\{[^}]*\} 0$/m);
  program.signal("SIGTERM");
  const { code, stdout, stderr } = await program.ended;
  assert.equal(code, 0);
  assert.equal(stderr.match(/failed/g)?.length, 1, stderr);
  assert.doesNotMatch(stdout + stderr + metrics, /s3cret/);
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
