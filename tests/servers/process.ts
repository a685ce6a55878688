// A real server as a child process: started on a free port of loopback, waited for, stopped, killed,
// paused and restarted. The same code runs on Deno, Node and Bun.
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync, rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { freePort } from "./ports.ts";
import { onPath } from "./tools.ts";

// Taken when the module loads, so that a test's mocked timers never stop a server from starting.
const setTimer = globalThis.setTimeout;
const clearTimer = globalThis.clearTimeout;

/** What to run, once the port and the folder are known. */
export interface Launch {
  readonly command: string;
  readonly args: readonly string[];
  /** Added to a bare environment (PATH, HOME, TMPDIR): nothing the user configured leaks in. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Where a server lives: its port, and a temporary folder of its own. */
export interface Place {
  readonly port: number;
  readonly folder: string;
}

/** Options of {@linkcode startServer}. */
export interface ServerOptions {
  /** Shown in error messages. */
  readonly name: string;
  /** Called once for each port that is tried; may write configuration into the folder. */
  readonly launch: (place: Place) => Launch | Promise<Launch>;
  /** Resolves to whether the server answers as it should; asked again until it does. */
  readonly ready: (place: Place) => Promise<boolean>;
  /** Milliseconds a start may take. @default {30_000} */
  readonly startTimeout?: number;
  /** Milliseconds between SIGTERM and SIGKILL. @default {5_000} */
  readonly stopTimeout?: number;
}

const live = new Set<ServerProcess>();
let exitHandled = false;

/**
 * Starts a server and resolves once it answers. Throws with the end of what the server printed if it
 * does not start.
 */
export async function startServer(options: ServerOptions): Promise<ServerProcess> {
  if (!exitHandled) {
    exitHandled = true;
    process.on("exit", () => live.forEach((server) => server.abandon()));
  }
  const folder = await mkdtemp(join(tmpdir(), "koprs-external-"));
  for (let attempt = 1;; attempt++) {
    const place = { port: await freePort(), folder };
    const server = new ServerProcess(options, place, await options.launch(place));
    try {
      live.add(server);
      await server.start();
      return server;
    } catch (error) {
      // Another process may have taken the port between the probe and the start.
      if (attempt < 3 && /address (already )?in use|EADDRINUSE/i.test(server.log())) {
        await server.kill();
        live.delete(server);
        continue;
      }
      await server.stop();
      throw error;
    }
  }
}

/** A server that {@linkcode startServer} started. */
export class ServerProcess {
  readonly name: string;
  readonly port: number;
  /** The server's own temporary folder; `stop` removes it. */
  readonly folder: string;
  readonly #options: ServerOptions;
  readonly #launch: Launch;
  #child: ChildProcess | undefined;
  #exited: Promise<void> = Promise.resolve();
  #ended: string | undefined = "never started"; // how the child ended; undefined while it runs
  #removed = false;

  constructor(options: ServerOptions, place: Place, launch: Launch) {
    this.name = options.name;
    this.port = place.port;
    this.folder = place.folder;
    this.#options = options;
    this.#launch = launch;
  }

  /** The process id of the present, or else the last, run. */
  get pid(): number {
    return this.#child?.pid ?? -1;
  }

  /** Whether its process runs; a paused one does. */
  get running(): boolean {
    return this.#ended === undefined;
  }

  /** The end of what the server printed, over all its runs. */
  log(): string {
    try {
      return readFileSync(this.#logPath, "utf8").slice(-4_000).trim();
    } catch {
      return "";
    }
  }

  get #logPath(): string {
    return join(this.folder, "server.log");
  }

  /** Starts the process and waits until it answers. For a server that was killed; see `restart`. */
  async start(): Promise<void> {
    if (this.running) return;
    if (this.#removed) throw new Error(`Cannot start ${this.name} as it was stopped for good`);
    this.#spawn();
    const timeout = this.#options.startTimeout ?? 30_000;
    const deadline = performance.now() + timeout;
    while (true) {
      const ready = this.running && await this.#options.ready(this).catch(() => false);
      if (!this.running) throw this.#failure(this.#ended ?? "it ended");
      if (ready) return;
      if (performance.now() > deadline) throw this.#failure(`no answer within ${timeout} ms`);
      await delay(20);
    }
  }

  #spawn(): void {
    const { command, args, env } = this.#launch;
    const wrapped = dieWithParent([command, ...args]);
    // A file, not pipes: a server never blocks on a test that does not read, and its last words stay.
    const output = openSync(this.#logPath, "a");
    try {
      const child = spawn(wrapped[0], wrapped.slice(1), {
        cwd: this.folder,
        env: {
          PATH: process.env.PATH ?? "",
          HOME: this.folder,
          TMPDIR: tmpdir(),
          ...env,
        },
        stdio: ["ignore", output, output],
      });
      this.#child = child;
      this.#ended = undefined;
      this.#exited = new Promise((resolve) => {
        child.once("error", (error) => {
          this.#ended ??= error.message;
          resolve();
        });
        child.once("exit", (code, signal) => {
          this.#ended ??= signal === null ? `exit code ${code}` : `signal ${signal}`;
          resolve();
        });
      });
      child.unref(); // a forgotten server must not keep the test process from ending
    } finally {
      closeSync(output);
    }
  }

  #failure(reason: string): Error {
    const log = this.log();
    return new Error(
      `Cannot start ${this.name} on port ${this.port}: ${reason}` + (log === "" ? "" : `\n${log}`),
    );
  }

  /** SIGTERM, SIGKILL after a bound, and the server's folder is removed. Harmless when called twice. */
  async stop(): Promise<void> {
    await this.#terminate();
    this.#removed = true;
    live.delete(this);
    await rm(this.folder, { recursive: true, force: true, maxRetries: 3 });
  }

  /** SIGKILL at once: what a crash looks like. The data stays; `restart` brings it back. */
  async kill(): Promise<void> {
    if (!this.running) return;
    this.#signal("SIGKILL");
    await this.#wait(5_000);
  }

  /** Ends the process unless it was killed, then starts it on the same port and data. */
  async restart(): Promise<void> {
    await this.#terminate();
    await this.start();
  }

  /** SIGSTOP: connections are still accepted, and nothing answers. */
  pause(): void {
    this.#signal("SIGSTOP");
  }

  /** Ends a `pause`. */
  resume(): void {
    this.#signal("SIGCONT");
  }

  /** The last resort when the test process ends without `stop`: synchronous. */
  abandon(): void {
    this.#signal("SIGKILL");
    rmSync(this.folder, { recursive: true, force: true });
  }

  async #terminate(): Promise<void> {
    if (!this.running) return;
    this.#signal("SIGTERM");
    this.#signal("SIGCONT"); // a paused process takes SIGTERM only when it goes on
    if (!await this.#wait(this.#options.stopTimeout ?? 5_000)) await this.kill();
  }

  #signal(signal: NodeJS.Signals): void {
    // Not child.kill(): on Deno a child takes only the first signal sent that way, SIGSTOP included.
    if (!this.running || this.#child?.pid === undefined) return;
    try {
      process.kill(this.#child.pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  }

  // The timer also keeps the event loop alive, which the unreferenced child does not.
  async #wait(timeout: number): Promise<boolean> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<boolean>((resolve) => {
      timer = setTimer(() => resolve(false), timeout);
    });
    const ended = await Promise.race([this.#exited.then(() => true), late]);
    clearTimer(timer);
    return ended;
  }
}

/**
 * The status of a GET on loopback, or undefined when nothing answers in time. By `node:http`, as
 * `fetch` may be sent through a proxy by the environment.
 */
export function httpStatus(port: number, path: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    const req = request({ host: "127.0.0.1", port, path, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    const timer = setTimer(() => req.destroy(new Error("late")), 2_000);
    req.once("close", () => {
      clearTimer(timer);
      resolve(undefined);
    });
    req.once("error", () => resolve(undefined));
    req.end();
  });
}

/** Whether a process of that id exists. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

// On Linux the kernel can kill the server when the test process dies, whatever it died of; setpriv
// sets that and becomes the server, so the process id is the server's. Elsewhere only an ordinary
// exit of the test process ends a server that nobody stopped.
function dieWithParent(command: readonly string[]): [string, ...string[]] {
  const setpriv = process.platform === "linux" ? onPath("setpriv") : undefined;
  const words = setpriv === undefined
    ? command
    : [setpriv, "--pdeathsig", "KILL", "--", ...command];
  const [first = "", ...rest] = words;
  return [first, ...rest];
}

function delay(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimer(resolve, milliseconds));
}
