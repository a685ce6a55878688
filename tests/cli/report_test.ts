// What is printed of events and failures, for people and for programs.
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { jsonReport, lineReport, type Report, seconds, sizeOf } from "../../_cli/report.ts";
import { ExternalError } from "../../_errors/external_error.ts";
import { recordingScreen } from "./_screen.ts";

/** A report of lines, and the lines without their time. */
function linesOf(): { report: Report; printed: () => string[]; noted: () => string[] } {
  const { screen, printed, noted } = recordingScreen();
  const untimed = (text: string) => {
    assert.match(text, /^\d\d:\d\d:\d\d {2}/);
    return text.slice(10);
  };
  return {
    report: lineReport(screen),
    printed: () => printed.splice(0).map(untimed),
    noted: () => noted.splice(0).map(untimed),
  };
}

const down = (message = "down") =>
  new ExternalError("status", message, { status: 503, source: "s" });
const unhandled = new ExternalError("handler", "no luck", { key: "k", attempt: 2 });

test("a line tells what happened to which object, how large it is, and where its copy is", async () => {
  const { report, printed } = linesOf();
  await report.event("s://b", { type: "added", item: { key: "a/b", size: 12 } }, {});
  await report.event("s://b", { type: "modified", item: { key: "a", size: 1 } }, { file: "out/a" });
  await report.event("s://b", { type: "removed", item: { key: "a", size: 1 } }, {});
  await report.event("http://h/", { type: "added", item: { body: new Uint8Array(3) } }, {});
  await report.event("s", { type: "added", item: { key: "a\x1b\n" } }, { file: "a\n" });
  await report.unchanged("s");
  assert.deepEqual(printed(), [
    "<green>added   </>  s://b a/b  12 B",
    "<yellow>modified</>  s://b a  1 B  <dim>→ out/a</>",
    "<red>removed </>  s://b a",
    "<green>added   </>  http://h/  3 B",
    '<green>added   </>  s "a\\u001b\\n"  0 B  <dim>→ "a\\n"</>',
    "unchanged s",
  ]);
});

test("a difference is below its line, each line of it in one", async () => {
  const { report, printed } = linesOf();
  const diff = ["- old", "+ new\x1b", "… 5 more", `+ ${"x".repeat(1_000)}`];
  await report.event("s", { type: "modified", item: { key: "a" } }, { diff });
  const [head, ...lines] = printed()[0]?.split("\n") ?? [];
  assert.equal(head, "<yellow>modified</>  s a  0 B");
  assert.deepEqual(lines.slice(0, 3), [
    "          <red>- old</>",
    "          <green>+ new\\x1b</>",
    "          <dim>… 5 more</>",
  ]);
  assert.ok(lines[3] !== undefined && lines[3].length < 450);
});

test("sizes have units of a thousand", async () => {
  const { report, printed } = linesOf();
  const sizes = [0, 999, 1_000, 1_550, 1_000_000, 2_500_000_000, 1e12, 5e15];
  for (const size of sizes) {
    await report.event("s", { type: "added", item: { key: "a", size } }, {});
  }
  assert.deepEqual(printed().map((line) => line.slice(line.lastIndexOf("  ") + 2)), [
    ...["0 B", "999 B", "1.0 kB", "1.6 kB", "1.0 MB", "2.5 GB", "1.0 TB", "5000.0 TB"],
  ]);
  assert.equal(sizeOf({ size: 5, body: new Uint8Array(1) }), 5);
});

test("times are short", () => {
  const times = [-5, 0, 9_540, 9_900, 10_000, 12_400, 119_000, 120_000, 150_000];
  assert.deepEqual(times.map(seconds), [
    ...["0.0 s", "0.0 s", "9.5 s", "9.9 s", "10 s", "12 s", "119 s", "2 min", "3 min"],
  ]);
});

test("a failure is a line, once, and so is its end", () => {
  const { report, noted } = linesOf();
  report.recovered("s");
  report.failure("s", down(), { attempt: 1, wait: 2_000 });
  report.failure("s", down(), { attempt: 2, wait: 4_000 });
  report.failure("other", down());
  report.failure("s", down("gone\n"), { attempt: 3, wait: 8_000 });
  assert.deepEqual(noted(), [
    "<!magenta>failed  </>  down (again in 2.0 s)",
    "<!magenta>failed  </>  down",
    "<!magenta>failed  </>  gone\\n (again in 8.0 s)",
  ]);
  report.recovered("s");
  report.recovered("s");
  report.failure("s", down("gone\n"), { attempt: 1, wait: 2_000 });
  assert.deepEqual(noted(), [
    "<!green>well    </>  s again",
    "<!magenta>failed  </>  gone\\n (again in 2.0 s)",
  ]);
});

test("each attempt at an event is a line, and no failure of the source", () => {
  const { report, noted } = linesOf();
  report.failure("s", unhandled, { attempt: 1, wait: 1_000 });
  report.failure("s", unhandled, { attempt: 2, wait: 2_000 });
  report.failure("s", unhandled);
  report.recovered("s");
  report.note(`a\n${"x".repeat(1_000)}`);
  const [first, second, third, note, ...none] = noted();
  assert.deepEqual([first, second, third], [
    "<!magenta>failed  </>  no luck (attempt 1, again in 1.0 s)",
    "<!magenta>failed  </>  no luck (attempt 2, again in 2.0 s)",
    "<!magenta>failed  </>  no luck",
  ]);
  assert.ok(note?.startsWith("a\\nxx") && note.length < 450);
  assert.deepEqual(none, []);
});

test("for programs, each line is JSON with its time", async () => {
  const { screen, printed, noted } = recordingScreen();
  mock.timers.enable({ apis: ["Date"], now: 0 });
  try {
    const report = jsonReport(screen);
    const item = { key: "a", size: 5, etag: '"1"', lastModified: 7 };
    await report.event("s", { type: "added", item }, { diff: ["+ x"], file: "out/a" });
    await report.event("s", { type: "removed", item: {} }, {});
    await report.unchanged("s");
    report.recovered("s");
    report.failure("s", down(), { attempt: 1, wait: 2_000 });
    report.failure("s", unhandled);
    report.recovered("s");
    report.recovered("s");
    report.failure("s", unhandled);
    report.recovered("s");
    report.note("n");
  } finally {
    mock.timers.reset();
  }
  const time = "1970-01-01T00:00:00.000Z";
  assert.deepEqual(printed.map((line) => JSON.parse(line)), [
    {
      time,
      type: "added",
      source: "s",
      key: "a",
      size: 5,
      etag: '"1"',
      file: "out/a",
      diff: ["+ x"],
    },
    { time, type: "removed", source: "s", size: 0 },
    { time, type: "unchanged", source: "s" },
  ]);
  const failed = {
    time,
    type: "error",
    source: "s",
    code: "handler",
    key: "k",
    message: "no luck",
  };
  assert.deepEqual(noted.map((line) => JSON.parse(line)), [
    {
      ...{ time, type: "error", source: "s", code: "status", status: 503, message: "down" },
      ...{ attempt: 1, wait: 2_000 },
    },
    failed,
    { time, type: "recovered", source: "s" },
    failed,
    { time, type: "note", message: "n" },
  ]);
});
