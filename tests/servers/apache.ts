// Apache with mod_dav, serving a folder.
import { existsSync } from "node:fs";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { httpStatus, startServer } from "./process.ts";
import { onPath } from "./tools.ts";
import type { WebDavOptions, WebDavServer } from "./webdav.ts";

const MODULES = [
  "mpm_event",
  "authz_core",
  "authz_host",
  "dav",
  "dav_fs",
  "dav_lock",
  "setenvif",
  "unixd",
];

/** Where distributions put the modules. */
const FOLDERS = ["/usr/lib/apache2/modules", "/usr/lib64/httpd/modules", "/usr/lib/httpd/modules"];

/** Why Apache cannot be started, or undefined. */
export function missingApache(): Promise<string | undefined> {
  const found = find();
  return Promise.resolve("missing" in found ? found.missing : undefined);
}

/** Starts Apache as one process, with a configuration of its own. */
export async function startApache(options: WebDavOptions = {}): Promise<WebDavServer> {
  const found = find();
  if ("missing" in found) throw new Error(`Cannot start Apache: ${found.missing}`);
  let root = "";
  const server = await startServer({
    name: "Apache",
    launch: async ({ port, folder }) => {
      root = options.root ?? join(folder, "root");
      await mkdir(root, { recursive: true });
      await open(folder, root);
      const conf = join(folder, "apache.conf");
      await writeFile(conf, configuration(port, folder, root, found.modules));
      // One process, and not in the background.
      return { command: found.program, args: ["-X", "-f", conf] };
    },
    ready: async ({ port }) => await httpStatus(port, "/") !== undefined,
  });
  return Object.assign(server, { url: `http://127.0.0.1:${server.port}/`, root });
}

/** Apache never serves as root: it becomes another user, who must be able to read and write. */
async function open(folder: string, root: string): Promise<void> {
  const locks = join(folder, "locks");
  await mkdir(locks, { recursive: true });
  if (!isRoot()) return;
  await chmod(folder, 0o711);
  for (const path of [root, locks]) await chmod(path, 0o777);
}

function isRoot(): boolean {
  return process.getuid?.() === 0;
}

function configuration(port: number, folder: string, root: string, modules: string): string {
  const load = MODULES.filter((name) => existsSync(join(modules, `mod_${name}.so`)))
    .map((name) => `LoadModule ${name}_module ${quote(join(modules, `mod_${name}.so`))}`);
  return `
ServerRoot ${quote(folder)}
ServerName 127.0.0.1
Listen 127.0.0.1:${port}
${load.join("\n")}
PidFile ${quote(join(folder, "apache.pid"))}
ErrorLog ${quote(join(folder, "error.log"))}
Mutex posixsem
${isRoot() ? "User nobody\nGroup #65534" : ""}
DavLockDB ${quote(join(folder, "locks", "db"))}
DocumentRoot ${quote(root)}
# A backslash or a slash may be a part of a name.
AllowEncodedSlashes NoDecode
<Directory ${quote(root)}>
  Dav On
  Options None
  AllowOverride None
  Require all granted
</Directory>
`;
}

function quote(path: string): string {
  if (/["\\\n$%]/.test(path)) throw new Error(`Cannot serve ${path} with Apache: odd character`);
  return `"${path}"`;
}

function find(): { program: string; modules: string } | { missing: string } {
  const program = onPath("apache2") ?? onPath("httpd");
  if (program === undefined) return { missing: "Apache is not installed" };
  const modules = FOLDERS.find((folder) => existsSync(join(folder, "mod_dav_fs.so")));
  return modules === undefined ? { missing: "Apache has no mod_dav" } : { program, modules };
}
