// The program of --exec: what it gets, where its output goes, and how its end is told.
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { execute } from "../../_cli/exec.ts";
import { temporaryFolder } from "./_program.ts";
import { recordingScreen } from "./_screen.ts";

const options = {
  timeout: 30_000,
  skip: process.platform === "win32" && "the scripts are for a shell of Unix",
};
const facts = { key: "a b", type: "added", source: "s", size: "1", etag: "", file: "" };

/** Runs a script, and returns its output: which stream each piece went to, and the piece. */
async function outputOf(
  script: string,
  { json = false, lines = false, onWrite = (_: string) => {} } = {},
): Promise<string[]> {
  const { screen, written } = recordingScreen();
  const { write } = screen;
  screen.write = (stream, text) => {
    const done = write(stream, text);
    onWrite(written.at(-1)?.[1] ?? "");
    return done;
  };
  const command = { words: ["sh", "-c", script, "_", "{key}"], needsFile: false };
  await execute(command, facts, screen, { json, lines });
  return written.map(([stream, text]) => {
    assert.ok(stream === process.stdout || stream === process.stderr);
    return `${stream === process.stdout ? "out" : "err"} ${text}`;
  });
}

test("it gets the event as arguments and variables, and no input", options, async () => {
  const script = 'cat; printf "$1 $KOPRS_KEY $KOPRS_TYPE ${PATH:+path}"';
  assert.deepEqual(await outputOf(script), ["out a b a b added path"]);
});

test("its output goes where it sent it, but never among JSON lines", options, async () => {
  const script = "printf '1\\n2'; printf 3 >&2";
  assert.deepEqual((await outputOf(script)).sort(), ["err 3", "out 1\n2"]);
  assert.deepEqual((await outputOf(script, { json: true })).sort(), ["err 1\n2", "err 3"]);
});

test("beside others, it gives whole lines, and its last one is ended", options, async (t) => {
  const folder = await temporaryFolder(t);
  // The second piece comes once the first one was seen.
  const script = `cd ${folder}; printf '1\\n2'; until test -e seen; do sleep 0.02; done
    printf '3\\n\\n4\\n'; printf '5' >&2`;
  const onWrite = () => writeFileSync(join(folder, "seen"), "");
  const output = await outputOf(script, { lines: true, onWrite });
  assert.deepEqual(output.filter((piece) => piece.startsWith("out")), ["out 1\n", "out 23\n\n4\n"]);
  assert.deepEqual(output.filter((piece) => piece.startsWith("err")), ["err 5\n"]);
});

test("a line that comes in pieces is put together", options, async (t) => {
  const folder = await temporaryFolder(t);
  // Nothing shows that the first pieces have come, so other lines tell when to go on.
  const script = `cd ${folder}
    printf '1'; echo go >&2; until test -e 1; do sleep 0.02; done
    printf '2'; echo on >&2; until test -e 2; do sleep 0.02; done
    printf '3'`;
  const onWrite = (text: string) => {
    if (text === "go\n") writeFileSync(join(folder, "1"), "");
    if (text === "on\n") writeFileSync(join(folder, "2"), "");
  };
  const output = await outputOf(script, { lines: true, onWrite });
  assert.deepEqual(output, ["err go\n", "err on\n", "out 123\n"]);
});

test("any end but a good one is a failure, and its output is there", options, async () => {
  await assert.rejects(outputOf("exit 3"), { message: "'sh' ended with exit code 3" });
  await assert.rejects(outputOf("kill -9 $$"), { message: "'sh' ended with SIGKILL" });
  const { screen, written } = recordingScreen();
  const bad = { words: ["sh", "-c", "printf oh; exit 1"], needsFile: false };
  await assert.rejects(execute(bad, facts, screen, { json: false, lines: true }));
  assert.deepEqual(written, [[process.stdout, "oh\n"]]);
  const missing = { words: ["./no such program"], needsFile: false };
  await assert.rejects(execute(missing, facts, screen, { json: false, lines: false }), {
    code: "ENOENT",
  });
});
