// Counts the results in a JUnit file of Deno, Node or Bun, and prints them as the last line of the gate does:
// deno run -A tests/npm/junit.ts <exit code of the runner> <file> [log of the runner]
import { readFileSync } from "node:fs";
import process from "node:process";

/** How many tests ended in which way. */
export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** `1 passed, 0 failed, 0 skipped` */
export function format({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}

/**
 * Counts the tests of one run of a runner. A run that ended badly without a failed test (a crash, a
 * time-out), and one that ran nothing, count as one failure.
 */
export function countRun(code: number | null, junit: string, log: string): Counts {
  const { passed, failed, skipped } = count(readIfAny(junit));
  // What Deno calls passed although it called t.skip: see tests/_deno.ts.
  const called = readIfAny(log).match(/^# SKIP /gm)?.length ?? 0;
  const counts = { passed: Math.max(0, passed - called), failed, skipped: skipped + called };
  const empty = passed + failed + skipped === 0;
  return failed === 0 && (code !== 0 || empty) ? { ...counts, failed: 1 } : counts;
}

/** Counts the leaves: a suite, or a test with subtests, is not counted where its parts are. */
export function count(junit: string): Counts {
  let passed = 0, failed = 0, skipped = 0;
  for (const { body } of leavesOf(junit)) {
    if (FAILURE.test(body)) failed++;
    else if (/<skipped\b/.test(body)) skipped++;
    else passed++;
  }
  // A suite whose own hook failed has no failed leaf.
  if (failed === 0 && FAILURE.test(junit)) failed = 1;
  return { passed, failed, skipped };
}

/** A line for each test that failed: its name, and how what it says begins. */
export function failuresOf(junit: string): string[] {
  return leavesOf(junit).flatMap(({ name, body }) => {
    const start = body.search(FAILURE);
    if (start < 0) return [];
    const said = body.slice(start).replace(
      /<[^>]*>/,
      (tag) => /\bmessage="([^"]*)"/.exec(tag)?.[1] ?? "",
    );
    return [
      `FAILED ${plain(name)}: ${plain(said.replaceAll(/<!\[CDATA\[|<[^>]*>/g, " ")).slice(0, 500)}`,
    ];
  });
}

const FAILURE = /<(failure|error)\b/;

function leavesOf(junit: string): { name: string; body: string }[] {
  const cases = [
    ...junit.matchAll(/<testcase\b((?:[^>"]|"[^"]*")*?)(?:\/>|>([\s\S]*?)<\/testcase>)/g),
  ].map(([, attributes = "", body = ""]) => ({
    name: /\bname="([^"]*)"/.exec(attributes)?.[1] ?? "",
    body,
  }));
  // Deno lists a suite as a test of its own, and its tests as "suite > test", at times under another file.
  const parents = new Set<string>();
  if (junit.includes('<testsuites name="deno test"')) {
    for (const { name } of cases) {
      const parts = name.split(" &gt; ");
      for (let i = 1; i < parts.length; i++) parents.add(parts.slice(0, i).join(" &gt; "));
    }
  }
  return cases.filter(({ name }) => !parents.has(name));
}

/** In one line, without the entities that stand most often. */
function plain(text: string): string {
  const entities: Record<string, string> = {
    lt: "<",
    gt: ">",
    quot: '"',
    apos: "'",
    "#10": " ",
    amp: "&",
  };
  return text.replaceAll(/&(lt|gt|quot|apos|#10|amp);/g, (_, name) => entities[name] as string)
    .replaceAll(/\s+/g, " ").trim();
}

/** The text of a file, or nothing if there is none. */
export function readIfAny(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

if (import.meta.main) {
  const [code = "1", junit = "", log = ""] = process.argv.slice(2);
  // Apart from the counts: the gate shows these once more at its end.
  for (const line of failuresOf(readIfAny(junit))) console.error(line);
  console.log(format(countRun(Number(code), junit, log)));
}
