// Finds the programs that the tests start, and builds or installs those that no distribution ships,
// into a cache outside the repository: $XDG_CACHE_HOME or ~/.cache, then koprs-external/<tool>-<version>/.
import { spawn } from "node:child_process";
import { accessSync, constants, existsSync, statSync } from "node:fs";
import { link, mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import process from "node:process";

const setTimer = globalThis.setTimeout; // see process.ts

/** A program that can be run, or why it cannot. */
export type Tool = { readonly path: string } | { readonly missing: string };

/** A program to be had by one command, kept in the cache. */
export interface CachedTool {
  readonly name: string;
  /** Exact: part of the folder's name, so a new version never meets an old build. */
  readonly version: string;
  /** The program, relative to its cache folder. */
  readonly program: string;
  /** The program that installs it, and what to say when it is not there. */
  readonly installer: string;
  readonly installerMissing: string;
  readonly install: (folder: string) => {
    readonly args: readonly string[];
    readonly env?: Readonly<Record<string, string>>;
  };
  /** Whether tests may install it themselves: quick enough to do unasked. */
  readonly unasked: boolean;
}

/** MinIO, a real S3 server. Its newest commit that the Go module proxy serves. */
export const minio: CachedTool = goTool(
  "minio",
  "github.com/minio/minio",
  "v0.0.0-20260212201848-7aac2a2c5b7c",
);

/** fake-gcs-server, the emulator of Google Cloud Storage. */
export const fakeGcs: CachedTool = goTool(
  "fake-gcs-server",
  "github.com/fsouza/fake-gcs-server",
  "v1.56.1",
);

/** promtool, which reads rules, queries and metrics as Prometheus does. */
export const promtool: CachedTool = goTool(
  "promtool",
  "github.com/prometheus/prometheus/cmd/promtool",
  "v0.316.0",
);

/** Azurite, Microsoft's emulator of Azure Storage. 3.35 is the last version for Node 20 and older. */
export const azurite: CachedTool = npmTool("azurite", "3.35.0", "dist/src/blob/main.js");

/** A program of an npm package. */
export function npmTool(name: string, version: string, program: string): CachedTool {
  return {
    name,
    version,
    program: `node_modules/${name}/${program}`,
    installer: "npm",
    installerMissing: "npm is not installed",
    install: (folder) => ({
      args: [
        "install",
        "--prefix",
        folder,
        "--omit=optional",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--no-package-lock",
        "--loglevel=error",
        "--fetch-retries=1",
        `${name}@${version}`,
      ],
    }),
    unasked: true,
  };
}

/** A program of a Go module. */
export function goTool(name: string, program: string, version: string): CachedTool {
  return {
    name,
    version,
    program: process.platform === "win32" ? `${name}.exe` : name,
    installer: "go",
    installerMissing: "Go is not installed",
    install: (folder) => ({
      args: ["install", "-trimpath", "-ldflags=-s -w", `${program}@${version}`],
      env: { GOBIN: folder, GOOS: "", GOARCH: "", CGO_ENABLED: "0" },
    }),
    unasked: false,
  };
}

/** The cache folder of all tools. */
export function cacheFolder(): string {
  const base = process.env.XDG_CACHE_HOME;
  return join(
    base === undefined || base === "" ? join(homedir(), ".cache") : base,
    "koprs-external",
  );
}

/** The path of a program on PATH, or in the folders of system programs that a user's PATH may lack. */
export function onPath(program: string): string | undefined {
  const folders = (process.env.PATH ?? "").split(delimiter).filter((folder) => folder !== "");
  if (process.platform !== "win32") folders.push("/usr/local/sbin", "/usr/sbin", "/sbin");
  const names = process.platform === "win32" ? [`${program}.exe`, `${program}.cmd`] : [program];
  for (const folder of folders) {
    for (const path of names.map((name) => join(folder, name))) {
      try {
        accessSync(path, constants.X_OK);
        if (statSync(path).isFile()) return path;
      } catch {
        // not here
      }
    }
  }
  return undefined;
}

/** A program of a Debian package, from PATH. */
export function systemTool(program: string): Tool {
  const path = onPath(program);
  return path === undefined ? { missing: `${program} is not installed` } : { path };
}

/**
 * The program of a cached tool. One that is not there yet is only installed by this call when that is
 * quick (`unasked`) or KOPRS_SERVERS=build is set: a Go build takes minutes, which no test should
 * take by surprise. `tests/servers/install.ts` installs them all.
 */
export async function cachedTool(tool: CachedTool): Promise<Tool> {
  const path = pathOf(tool);
  if (existsSync(path)) return { path };
  if (onPath(tool.installer) === undefined) {
    return { missing: `${tool.name} is not built, and ${tool.installerMissing}` };
  }
  if (!tool.unasked && process.env.KOPRS_SERVERS !== "build") {
    return { missing: `${tool.name} is not built: run tests/servers/install.ts` };
  }
  let attempt = attempts.get(tool.name);
  if (attempt === undefined) attempts.set(tool.name, attempt = installTool(tool));
  return await attempt;
}

const attempts = new Map<string, Promise<Tool>>(); // a failed one is not repeated for every test

function pathOf(tool: CachedTool): string {
  return join(cacheFolder(), `${tool.name}-${tool.version}`, tool.program);
}

/**
 * Installs a tool into the cache unless it is there. Several processes at once install it once.
 *
 * @param limit Milliseconds it may take.
 */
export async function installTool(tool: CachedTool, limit?: number): Promise<Tool> {
  const path = pathOf(tool);
  const installer = onPath(tool.installer);
  if (existsSync(path)) return { path };
  if (installer === undefined) return { missing: tool.installerMissing };
  const cache = cacheFolder();
  const folder = join(cache, `${tool.name}-${tool.version}`);
  try {
    await mkdir(cache, { recursive: true });
    return await locked(`${folder}.lock`, async () => {
      if (existsSync(path)) return { path };
      const temporary = await mkdtemp(join(cache, `.${tool.name}-`));
      try {
        const { args, env } = tool.install(temporary);
        const failure = await run(installer, args, temporary, env, limit);
        if (failure !== undefined) {
          return { missing: `${tool.name} ${tool.version} does not install: ${failure}` };
        }
        if (!existsSync(join(temporary, tool.program))) {
          return { missing: `${tool.name} ${tool.version} installed without ${tool.program}` };
        }
        await rm(folder, { recursive: true, force: true });
        await rename(temporary, folder); // whole or not at all
        return { path };
      } finally {
        await rm(temporary, { recursive: true, force: true });
      }
    });
  } catch (error) {
    return { missing: `${tool.name} does not install: ${(error as Error).message}` };
  }
}

/** Runs a command at low priority. Resolves to the end of its output if it fails, or is not over in time. */
export function run(
  command: string,
  args: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>> = {},
  limit?: number,
): Promise<string | undefined> {
  const nice = onPath("nice");
  const words = nice === undefined ? [command, ...args] : [nice, "-n", "10", command, ...args];
  return new Promise((resolve) => {
    const child = spawn(words[0] ?? command, words.slice(1), {
      cwd,
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let late = false;
    const timer = limit === undefined ? undefined : setTimer(() => {
      late = true;
      child.kill("SIGKILL");
    }, limit);
    let output = "";
    const take = (chunk: Uint8Array) => {
      output = (output + new TextDecoder().decode(chunk)).slice(-2_000);
    };
    child.stdout.on("data", take);
    child.stderr.on("data", take);
    child.once("error", (error) => resolve(error.message));
    child.once("close", (code, signal) => {
      clearTimeout(timer);
      if (late) return resolve(`${command} was ended, as it took too long`);
      const end = output.trim().split("\n").slice(-8).join("\n");
      resolve(code === 0 ? undefined : `${command} ended with ${signal ?? code}\n${end}`);
    });
  });
}

// A lock file that holds its owner's process id, made by a hard link so that it is never seen empty.
// A lock whose owner died is removed; should two processes do that at once, both install, which is
// wasteful but harmless, as the result is put in place by one rename.
async function locked<T>(path: string, body: () => Promise<T>): Promise<T> {
  const mine = `${path}.${process.pid}-${crypto.randomUUID()}`;
  await writeFile(mine, String(process.pid));
  try {
    while (true) {
      try {
        await link(mine, path);
        break;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      }
      const owner = Number(await readFile(path, "utf8").catch(() => ""));
      if (owner > 0 && !exists(owner)) await rm(path, { force: true });
      else await new Promise((resolve) => setTimer(resolve, 200));
    }
    try {
      return await body();
    } finally {
      await rm(path, { force: true });
    }
  } finally {
    await rm(mine, { force: true });
  }
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
