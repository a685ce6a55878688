// Puts deliberate faults into shipped files, one at a time, and tells which of them no test of the file's room notices:
// deno run -A tests/mutate.ts [--count=10] [--seed=1] [--tests=GLOB] [FILE...]
// So many faults of each file; without a file, so many of all that are shipped. A survivor is a missing test, or a change
// that makes no difference: judge each. It works on a copy of the repository.
import { spawn, spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  globSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { stop, transform } from "esbuild";
import { randomNumbers } from "./state/_kill.ts";

const root = fileURLToPath(new URL("../", import.meta.url));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    count: { type: "string", default: "10" },
    seed: { type: "string", default: "1" },
    tests: { type: "string" },
  },
});

interface Fault {
  readonly line: number;
  readonly from: string;
  readonly to: string;
}

/** What is looked for in a line whose texts are blanked out, and what is put in its place. */
const OPERATORS: readonly (readonly [RegExp, string])[] = [
  [/ === /g, " !== "],
  [/ !== /g, " === "],
  [/ < /g, " <= "],
  [/ <= /g, " < "],
  [/ > /g, " >= "],
  [/ >= /g, " > "],
  [/ && /g, " || "],
  [/ \|\| /g, " && "],
  [/ \+ 1\b/g, ""],
  [/(?<=\bif \().*(?=\) )/g, "true"],
  [/(?<=\bif \().*(?=\) )/g, "false"],
  [/(?<=[^=!]= )true\b/g, "false"],
  [/(?<=[^=!]= )false\b/g, "true"],
  [/(?<=\breturn )(?!undefined|false;).+(?=;$)/g, "undefined as never"],
  // A statement, an option, or a part of one, that is a line of its own.
  [/^ +(await )?[\w.#?]+(\([^]*\)|\[[^]*\])?( [-+?|]*= [^]*|\([^]*\)|\+\+|--);$/g, ""],
  [/^ +throw [^]*;$/g, ""],
  [/^ +(\.\.\.\(?)?[\w#]+(: [^]+| [^]+)?,$/g, ""],
];

/** All faults that the operators make of a file, as far as they leave it a program. */
async function faultsOf(code: string): Promise<Fault[]> {
  const faults: Fault[] = [];
  const lines = code.split("\n");
  const imports = lines.findLastIndex((line) => /^(import .*|\}) from "/.test(line));
  for (const [line, from] of lines.entries()) {
    if (line <= imports || /^\s*(\*|\/[/*]|export type|\}?\s*$)/.test(from)) continue;
    const blanked = from.replace(
      /\/\/ .*$|"(?:[^"\\]|\\.)*"|`[^`]*`/g,
      (text) => "\0".repeat(text.length),
    );
    for (const [pattern, put] of OPERATORS) {
      for (const { index, 0: found } of blanked.matchAll(pattern)) {
        const to = from.slice(0, index) + put + from.slice(index + found.length);
        if (to === from) continue;
        const changed = lines.with(line, to).join("\n");
        if (await transform(changed, { loader: "ts" }).catch(() => undefined) === undefined) {
          continue;
        }
        faults.push({ line, from, to });
      }
    }
  }
  return faults;
}

/** The tests that stand in the file's room, or bear its name. */
function testsOf(file: string): string[] {
  const room = dirname(file).replace(/^_/, "");
  const name = basename(file, ".ts");
  const clouds = "tests/{listing/{azure,gcs,node},stores/{azure,cloud,gcs}}*_test.ts";
  const collections = "tests/{diff/{collection,known},listing/collection}*_test.ts";
  // By room, or by room and the first word of the name.
  const patterns: Record<string, string> = {
    ".": "tests/*_test.ts",
    bounds: "tests/{bounds,listing,watch}/*_test.ts",
    checkpoints: "tests/state/*_test.ts",
    files: "tests/stores/local*_test.ts",
    "listing/azure": clouds,
    "listing/checkpoint": "tests/state/checkpoint_{object,conditions}*_test.ts",
    "listing/cloud": clouds,
    "listing/collection": collections,
    "listing/etag": "tests/stores/webdav*_test.ts",
    "listing/gcs": clouds,
    "listing/item": collections,
    "listing/object": "tests/{diff/{known,store},listing/}*_test.ts",
    "listing/page": "tests/{listing/,stores/{cloud,s3}_options}*_test.ts",
    "listing/part": "tests/{diff/{parts,store},listing/}*_test.ts",
    "listing/put": "tests/state/checkpoint_conditions_test.ts",
    "listing/s3": "tests/{listing/{s3,url},stores/s3}*_test.ts",
    "listing/since": collections,
    "listing/store": "tests/{diff/store,listing/,stores/{cloud,s3}_errors}*_test.ts",
    "listing/walk": "tests/{listing/walk,stores/{local,webdav}}*_test.ts",
    "listing/webdav": "tests/stores/webdav*_test.ts",
    "stores/azure": clouds,
    "stores/gcs": clouds,
    stores: `tests/stores/${name}*_test.ts`,
    // What is saved, and when, is tested beside the states.
    watch: "tests/{watch/*,state/checkpoint_{failure,hang,refused,save,steps}}_test.ts",
  };
  const pattern = patterns[`${room}/${name.split("_")[0]}`] ?? patterns[room];
  const files = globSync(values.tests ?? pattern ?? `tests/${room}/*_test.ts`, { cwd: root });
  if (files.length === 0) {
    throw new Error(`Cannot mutate ${file} as it has no tests: name them by --tests`);
  }
  return files;
}

/** The faults to try, by file. */
async function chosen(): Promise<Map<string, Fault[]>> {
  const random = randomNumbers(Number(values.seed));
  const pick = <F>(faults: readonly F[]): F[] =>
    faults.map((fault) => ({ fault, at: random() })).sort((a, b) => a.at - b.at)
      .slice(0, Number(values.count)).map(({ fault }) => fault);
  const all = async (file: string) =>
    (await faultsOf(readFileSync(join(root, file), "utf8"))).map((fault) => ({ file, fault }));
  const picked: { file: string; fault: Fault }[] = [];
  for (const file of positionals) picked.push(...pick(await all(file)));
  if (positionals.length === 0) {
    const files = globSync(["_*/*.ts", "stores/*.ts", "checkpoints/*.ts"], { cwd: root }).sort();
    picked.push(...pick((await Promise.all(files.map(all))).flat()));
  }
  const byFile = Map.groupBy(picked, ({ file }) => file);
  return new Map([...byFile].sort().map(([file, some]) => [file, some.map(({ fault }) => fault)]));
}

const copy = mkdtempSync(join(tmpdir(), "koprs-external-mutate-"));

/** Whether the tests of the copy pass. They have failed as well if they take too long. */
function pass(tests: readonly string[], seconds: number): Promise<boolean> {
  const args = ["-A", "--no-check", "--quiet", "--fail-fast", "--preload=tests/_deno.ts", ...tests];
  // A group of its own, as tests that are ended leave their own programs behind.
  const child = spawn("deno", ["test", ...args], { cwd: copy, stdio: "ignore", detached: true });
  return new Promise((resolve, reject) => {
    const end = () => {
      try {
        process.kill(-(child.pid ?? NaN), "SIGKILL");
      } catch {
        // All of them have ended.
      }
    };
    const timer = setTimeout(end, seconds * 1000);
    child.once("error", reject).once("exit", (code) => {
      clearTimeout(timer);
      end();
      resolve(code === 0);
    });
  });
}

let [noticed, tried] = [0, 0];
try {
  const git = spawnSync("git", ["ls-files", "-co", "--exclude-standard"], {
    cwd: root,
    encoding: "utf8",
  });
  for (const file of git.stdout.trim().split("\n").filter((file) => existsSync(join(root, file)))) {
    cpSync(join(root, file), join(copy, file));
  }
  /** Seconds that tests take without any fault, once for those that belong together. */
  const took = new Map<string, number>();
  for (const [file, faults] of await chosen()) {
    const tests = testsOf(file);
    const code = readFileSync(join(root, file), "utf8");
    const key = tests.join();
    if (!took.has(key)) {
      const began = performance.now();
      if (!await pass(tests, 300)) {
        throw new Error(`Cannot mutate ${file} as its tests fail without any fault: ${tests}`);
      }
      took.set(key, (performance.now() - began) / 1000);
    }
    const limit = Math.max(20, (took.get(key) as number) * 4);
    const survivors: Fault[] = [];
    for (const fault of faults) {
      writeFileSync(join(copy, file), code.split("\n").with(fault.line, fault.to).join("\n"));
      if (await pass(tests, limit)) survivors.push(fault);
    }
    writeFileSync(join(copy, file), code);
    console.log(`${file}: ${faults.length - survivors.length} of ${faults.length} noticed`);
    for (const { line, from, to } of survivors) {
      console.log(`  :${line + 1}  ${from.trim()}\n      -> ${to.trim() || "(nothing)"}`);
    }
    noticed += faults.length - survivors.length;
    tried += faults.length;
  }
  console.log(`${noticed} of ${tried} faults noticed`);
} finally {
  rmSync(copy, { recursive: true, force: true });
  await stop();
}
process.exit(0);
