/** Starts a Postgres server in a temporary folder, if Postgres is installed. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { chownSync, globSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";

export interface Database {
  readonly url: string;
  close(): Promise<void>;
}

/** Postgres refuses to run as root: a root process starts it as this user. */
const NOBODY = 65_534;

/** Starts the server. Resolves to undefined if Postgres is not installed. */
export async function startPostgres(): Promise<Database | undefined> {
  const [initdb] = [
    ...globSync("/usr/lib/postgresql/*/bin/initdb"),
    ...(process.env.PATH ?? "").split(":").flatMap((folder) => globSync(join(folder, "initdb"))),
  ];
  if (initdb === undefined) return undefined;
  const folder = mkdtempSync(join(tmpdir(), "koprs-external-postgres-"));
  const prefix: string[] = [];
  if (process.getuid?.() === 0) {
    chownSync(folder, NOBODY, NOBODY);
    prefix.push("setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups");
  }
  const [program = "", ...args] = [...prefix, initdb];
  const data = join(folder, "data");
  execFileSync(program, [...args, "-D", data, "-A", "trust", "-U", "postgres", "--no-sync"], {
    stdio: ["ignore", "ignore", "inherit"],
    cwd: folder,
  });
  const port = await freePort();
  const options = ["-D", data, "-k", folder, "-h", "127.0.0.1", "-p", String(port), "-F"];
  const [server = "", ...before] = [...prefix, join(dirname(initdb), "postgres")];
  const child = spawn(server, [...before, ...options], {
    stdio: ["ignore", "ignore", "pipe"],
    cwd: folder,
  });
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  await isReady(child);
  return {
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    async close() {
      child.kill("SIGINT");
      await ended;
      rmSync(folder, { recursive: true });
    },
  };
}

/** Resolves once the server logs that it is ready. */
function isReady(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    let log = "";
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      log += text;
      if (log.includes("ready to accept connections")) resolve();
    });
    child.once("error", reject);
    child.once("exit", () => reject(new Error(`Postgres has ended: ${log}`)));
  });
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
