/**
 * This package and the Rust crate of the same name, polling the same buckets and the same folder in turn.
 *
 * Run: `deno task bench:peers` (`BENCH_SMOKE=1` for a small part). It builds the Rust program with Cargo, outside the
 * repository. MinIO takes part where it is built: see tests/servers/install.ts. Where npm is there, the folder and the
 * pages of S3 are polled on Node and Bun, too, by the package of `deno pack`.
 *
 * @module
 */
import { type ChildProcessByStdio, spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, unlinkSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { missingMinio, startMinio } from "../../tests/servers/minio.ts";
import {
  commandFor,
  median,
  megabytes,
  report,
  type Row,
  serveSelf,
  SMOKE,
  withSpread,
} from "../_harness.ts";
import { HERE, npmPlaces, type Place } from "../_places.ts";

const RUST = "koprs-external 0.10.1 (Rust)";
const CRATE = fileURLToPath(new URL("koprs-external/", import.meta.url));
const ROUNDS = SMOKE ? 1 : 5;

/** What one poll was like. */
interface Polled {
  readonly ms: number;
  readonly added: number;
  readonly modified: number;
  readonly removed: number;
  readonly rss: number;
  readonly peak: number;
}

/** A process that polls when it is told to. */
class Peer {
  readonly name: string;
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: AsyncIterator<string>;

  constructor(name: string, command: readonly string[], env: Readonly<Record<string, string>>) {
    const [program = "", ...args] = command;
    this.name = name;
    this.#child = spawn(program, args, {
      stdio: ["pipe", "pipe", "inherit"],
      env: { ...process.env, ...env },
    });
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  async poll(): Promise<Polled> {
    this.#child.stdin.write("\n");
    const { done, value } = await this.#lines.next();
    if (done) throw new Error(`${this.name} ended with ${this.#child.exitCode}`);
    return JSON.parse(value);
  }

  stop(): void {
    this.#child.kill("SIGKILL");
  }
}

/** Builds the Rust program. Returns why not, or where it is. */
function build(): { readonly program: string } | { readonly missing: string } {
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
  const target = join(cache, "koprs-external", "peer-koprs-external");
  if (spawnSync("cargo", ["--version"]).status !== 0) return { missing: "Cargo is not installed" };
  const { status } = spawnSync("cargo", ["build", "--release", "--quiet"], {
    cwd: CRATE,
    env: { ...process.env, CARGO_TARGET_DIR: target },
    stdio: ["ignore", "ignore", "inherit"],
  });
  if (status !== 0) throw new Error("Cannot build the Rust program: see what Cargo says above");
  const suffix = process.platform === "win32" ? ".exe" : "";
  return { program: join(target, "release", `koprs-external-peer${suffix}`) };
}

/** What both sides poll. */
interface World {
  readonly what: string;
  readonly count: number;
  readonly args: readonly string[];
  /** For this package only: another number of ranges at once than the default. */
  readonly ranges?: number;
  readonly env?: Readonly<Record<string, string>>;
  readonly rounds?: number;
  /** Makes changes, and says which. */
  readonly change?: () => Promise<Pick<Polled, "added" | "modified" | "removed">>;
}

/** Polls on each of the runtimes, each time in turn with the Rust program. */
async function compare(
  program: string,
  world: World,
  runtimes: readonly Place[] = [HERE],
): Promise<Row[]> {
  const { what, count, args, env = {}, ranges, rounds = ROUNDS } = world;
  const own = [...args, ...(args.length < 3 ? [""] : []), ...(ranges ? [String(ranges)] : [])];
  const peers = [
    ...runtimes.map((place) =>
      new Peer(
        `ours on ${place.name}`,
        commandFor(`${place.folder}peers/_ours.ts`, own, place),
        env,
      )
    ),
    new Peer(RUST, [program, ...args], env),
  ];
  try {
    const firsts: Polled[] = [];
    const polls: Polled[][] = peers.map(() => []);
    for (const peer of peers) firsts.push(expect(peer, await peer.poll(), { added: count }));
    for (let round = 0; round < rounds; round++) {
      for (const [i, peer] of peers.entries()) polls[i]?.push(expect(peer, await peer.poll(), {}));
    }
    const changes = await world.change?.();
    if (changes !== undefined) {
      for (const [i, peer] of peers.entries()) {
        polls[i]?.push(expect(peer, await peer.poll(), changes));
      }
    }
    const first = firsts.at(-1);
    const them = polls.at(-1) ?? [];
    const unchanged = (all: readonly Polled[]) => all.slice(0, rounds).map(({ ms }) => ms);
    const peak = (all: readonly Polled[]) => all.at(-1)?.peak ?? NaN;
    const rss = (all: readonly Polled[]) => all[rounds - 1]?.rss ?? NaN;
    return runtimes.flatMap(({ name: runtime }, i): Row[] => {
      const us = polls[i] ?? [];
      const name = `${count.toLocaleString("en")} objects, ${what}, ${runtime}`;
      // Of this runtime alone, as all budgets are.
      const judged = count >= 1_000_000 && ranges === undefined && runtime === HERE.name;
      return [
        {
          what: `first poll of ${name}`,
          ours: `${firsts[i]?.ms.toFixed(0)} ms`,
          rival: `${first?.ms.toFixed(0)} ms`,
          ratio: (first?.ms ?? NaN) / (firsts[i]?.ms ?? NaN),
          sense: "faster",
        },
        {
          what: `poll without a change of ${name}`,
          ours: withSpread(unchanged(us), "ms", 0),
          rival: withSpread(unchanged(them), "ms", 0),
          ratio: median(unchanged(them)) / median(unchanged(us)),
          sense: "faster",
          ...(judged && {
            budget: "> 1×",
            met: median(unchanged(us)) < median(unchanged(them)),
          }),
        },
        {
          what: `RSS between those, and its peak, ${name}`,
          ours: `${megabytes(rss(us))}, ${megabytes(peak(us))}`,
          rival: `${megabytes(rss(them))}, ${megabytes(peak(them))}`,
          ratio: peak(them) / peak(us),
          sense: "less",
          ...(judged && { budget: "> 1×", met: peak(us) < peak(them) }),
        },
      ];
    });
  } finally {
    for (const peer of peers) peer.stop();
  }
}

/** Both sides must have found the same, and all of it. */
function expect(peer: Peer, found: Polled, wanted: Partial<Polled>): Polled {
  for (const type of ["added", "modified", "removed"] as const) {
    if (found[type] !== (wanted[type] ?? 0)) {
      throw new Error(`${peer.name} found ${found[type]} ${type} instead of ${wanted[type] ?? 0}`);
    }
  }
  return found;
}

function keyOf(i: number): string {
  return `incoming/2026-11-${String(i % 30 + 1).padStart(2, "0")}/order-${
    String(i).padStart(7, "0")
  }.json`;
}

/** One in a hundred of the objects changes, ten go and five come. */
function changesOf(count: number) {
  const gone = Array.from({ length: 10 }, (_, i) => i * 7 + 1).filter((i) => i % 100 !== 0);
  return {
    changed: Array.from({ length: Math.ceil(count / 100) }, (_, i) => i * 100),
    gone,
    come: Array.from({ length: 5 }, (_, i) => count + i),
  };
}

async function bucket(program: string, count: number): Promise<Row[]> {
  const minio = await startMinio();
  try {
    await minio.createBucket("bucket");
    const put = async (indices: readonly number[], text: string) => {
      for (let i = 0; i < indices.length; i += 5_000) {
        const part = indices.slice(i, i + 5_000);
        await minio.putMany("bucket", part.map((i) => ({ key: keyOf(i), body: `${text} ${i}` })));
      }
    };
    await put(Array.from({ length: count }, (_, i) => i), "one");
    return await compare(program, {
      what: "MinIO",
      count,
      args: ["s3", minio.endpoint, "bucket"],
      env: {
        AWS_ACCESS_KEY_ID: minio.credentials.accessKeyId,
        AWS_SECRET_ACCESS_KEY: minio.credentials.secretAccessKey,
      },
      change: async () => {
        const { changed, gone, come } = changesOf(count);
        await put(changed, "another");
        await put(come, "new");
        for (const i of gone) {
          const { status } = await minio.send("DELETE", `/bucket/${keyOf(i)}`);
          if (status !== 204) throw new Error(`MinIO answered ${status} to DELETE`);
        }
        return { added: come.length, modified: changed.length, removed: gone.length };
      },
    });
  } finally {
    await minio.stop();
  }
}

async function folder(
  program: string,
  count: number,
  runtimes: readonly Place[],
): Promise<Row[]> {
  const path = mkdtempSync(join(tmpdir(), "koprs-external-peers-"));
  try {
    for (let day = 1; day <= 30; day++) {
      mkdirSync(join(path, `incoming/2026-11-${String(day).padStart(2, "0")}`), {
        recursive: true,
      });
    }
    for (let i = 0; i < count; i++) writeFileSync(join(path, keyOf(i)), `one ${i}`);
    return await compare(program, {
      what: "folder",
      count,
      args: ["folder", path],
      change: () => {
        const { changed, gone, come } = changesOf(count);
        for (const i of changed) writeFileSync(join(path, keyOf(i)), `another ${i}`);
        for (const i of come) writeFileSync(join(path, keyOf(i)), `new ${i}`);
        for (const i of gone) unlinkSync(join(path, keyOf(i)));
        return Promise.resolve({
          added: come.length,
          modified: changed.length,
          removed: gone.length,
        });
      },
    }, runtimes);
  } finally {
    rmSync(path, { recursive: true, force: true });
  }
}

async function canned(
  program: string,
  count: number,
  latency: number,
  runtimes: readonly Place[],
  ranges?: number,
  rounds?: number,
): Promise<Row[]> {
  const url = new URL("../_canned.ts", import.meta.url).href;
  const server = await serveSelf(url, "s3", String(count), String(latency));
  try {
    return await compare(program, {
      what: `canned pages of S3, ${latency} ms a page` + (ranges ? `, ${ranges} range` : ""),
      count,
      args: ["s3", server.origin, "bucket"],
      env: { AWS_ACCESS_KEY_ID: "key", AWS_SECRET_ACCESS_KEY: "secret" },
      ...(ranges !== undefined && { ranges }),
      ...(rounds !== undefined && { rounds }),
    }, runtimes);
  } finally {
    server.stop();
  }
}

const built = build();
if ("missing" in built) {
  console.log(
    `The Rust crate is left out, and so is all that is compared with it: ${built.missing}`,
  );
} else {
  const { program } = built;
  const only = process.argv.slice(2).find((word) => !word.startsWith("--"));
  const wanted = (part: string) => only === undefined || only === part;
  const rows: Row[] = [];
  const [few, many] = SMOKE ? [500, 10_000] : [50_000, 1_000_000];
  if (wanted("minio")) {
    const missing = await missingMinio();
    if (missing === undefined) rows.push(...await bucket(program, few));
    else console.log(`MinIO is left out: ${missing}`);
  }
  if (wanted("folder") || wanted("canned")) {
    const project = mkdtempSync(join(tmpdir(), "koprs-external-peers-npm-"));
    try {
      const all = [HERE, ...npmPlaces(project)];
      if (wanted("folder")) rows.push(...await folder(program, few, all));
      if (wanted("canned")) {
        rows.push(...await canned(program, many, 0, all));
        rows.push(...await canned(program, many, 0, [HERE], 1));
        rows.push(...await canned(program, many / 10, 50, [HERE], undefined, 1));
      }
    } finally {
      rmSync(project, { recursive: true, force: true });
    }
  }
  console.log(`The rival is ${RUST}.\n`);
  report(rows);
}
