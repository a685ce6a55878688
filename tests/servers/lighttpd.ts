// lighttpd with mod_webdav, serving a folder.
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { httpStatus, startServer } from "./process.ts";
import { onPath } from "./tools.ts";
import type { WebDavOptions, WebDavServer } from "./webdav.ts";

const FOLDERS = ["/usr/lib/lighttpd", "/usr/lib64/lighttpd", "/usr/local/lib/lighttpd"];

/** Why lighttpd cannot be started, or undefined. */
export function missingLighttpd(): Promise<string | undefined> {
  if (onPath("lighttpd") === undefined) return Promise.resolve("lighttpd is not installed");
  const found = FOLDERS.some((folder) => existsSync(join(folder, "mod_webdav.so")));
  return Promise.resolve(found ? undefined : "lighttpd has no mod_webdav");
}

/** Starts lighttpd, with a configuration of its own. */
export async function startLighttpd(options: WebDavOptions = {}): Promise<WebDavServer> {
  const lighttpd = onPath("lighttpd");
  if (lighttpd === undefined) throw new Error("Cannot start lighttpd: it is not installed");
  let root = "";
  const server = await startServer({
    name: "lighttpd",
    launch: async ({ port, folder }) => {
      root = options.root ?? join(folder, "root");
      await mkdir(root, { recursive: true });
      const conf = join(folder, "lighttpd.conf");
      await writeFile(conf, configuration(port, folder, root));
      return { command: lighttpd, args: ["-D", "-f", conf] };
    },
    ready: async ({ port }) => await httpStatus(port, "/") !== undefined,
  });
  return Object.assign(server, { url: `http://127.0.0.1:${server.port}/`, root });
}

function configuration(port: number, folder: string, root: string): string {
  return `
server.modules = ("mod_webdav")
server.bind = "127.0.0.1"
server.port = ${port}
server.document-root = ${quote(root)}
server.errorlog = ${quote(join(folder, "error.log"))}
server.upload-dirs = (${quote(folder)})
webdav.activate = "enable"
# What is written to the folder shows at once.
server.stat-cache-engine = "disable"
`;
}

function quote(path: string): string {
  if (/["\\\n]/.test(path)) throw new Error(`Cannot serve ${path} with lighttpd: odd character`);
  return `"${path}"`;
}
