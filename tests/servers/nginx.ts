// nginx serving a folder, with its own ETag and Last-Modified, or as a WebDAV server.
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { isAbsolute, join } from "node:path";
import { httpStatus, type ServerProcess, startServer } from "./process.ts";
import { onPath } from "./tools.ts";

/** Options of {@linkcode startNginx}. */
export interface NginxOptions {
  /** The folder to serve. @default {a new one, removed by `stop`} */
  readonly root?: string;
  /**
   * Compress every type on the fly: nginx then turns the ETag into a weak one (`W/"…"`) for whoever
   * accepts gzip. (The suffix `-gzip` is Apache's way.) @default {false}
   */
  readonly gzip?: boolean;
  /** Answer PUT, DELETE, MKCOL, COPY, MOVE, OPTIONS and PROPFIND too. @default {false} */
  readonly webdav?: boolean;
}

/** A running nginx. */
export interface NginxServer extends ServerProcess {
  /** Without a final slash. */
  readonly url: string;
  /** The folder it serves. */
  readonly root: string;
}

/** Why nginx cannot be started, or undefined. */
export function missingNginx(): Promise<string | undefined> {
  return Promise.resolve(onPath("nginx") === undefined ? "nginx is not installed" : undefined);
}

/** Why nginx cannot be started as a WebDAV server, or undefined. */
export async function missingNginxWebDav(): Promise<string | undefined> {
  const dav = await davModule();
  return "missing" in dav ? dav.missing : undefined;
}

/** Starts nginx as one process, with a configuration of its own. */
export async function startNginx(options: NginxOptions = {}): Promise<NginxServer> {
  const nginx = onPath("nginx");
  if (nginx === undefined) throw new Error("Cannot start nginx: nginx is not installed");
  const dav = options.webdav ? await davModule() : { load: "" };
  if ("missing" in dav) throw new Error(`Cannot start nginx: ${dav.missing}`);
  let root = "";
  const server = await startServer({
    name: "nginx",
    launch: async ({ port, folder }) => {
      root = options.root ?? join(folder, "root");
      await mkdir(root, { recursive: true });
      const conf = join(folder, "nginx.conf");
      await writeFile(conf, configuration(port, folder, root, dav.load, options));
      return { command: nginx, args: ["-e", "stderr", "-p", folder, "-c", conf] };
    },
    ready: async ({ port }) => await httpStatus(port, "/") !== undefined,
  });
  return Object.assign(server, { url: `http://127.0.0.1:${server.port}`, root });
}

// One process (`master_process off`): a kill takes all of it, as no worker stays behind. Every path
// is in the server's own folder, so that any user may run it.
function configuration(
  port: number,
  folder: string,
  root: string,
  load: string,
  options: NginxOptions,
): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((name) => `${name}_temp_path ${quote(join(folder, name))};`).join("\n  ");
  return `${load}
daemon off;
master_process off;
pid ${quote(join(folder, "nginx.pid"))};
error_log stderr error;
events { worker_connections 512; }
http {
  access_log off;
  ${temporary}
  default_type application/octet-stream;
  types { text/plain txt; application/json json; text/html html; }
  etag on;
  ${options.gzip ? "gzip on; gzip_min_length 0; gzip_types *;" : "gzip off;"}
  client_max_body_size 0;
  server {
    listen 127.0.0.1:${port};
    root ${quote(root)};
    location / {
      ${options.webdav ? DAV : ""}
    }
  }
}
`;
}

const DAV = `dav_methods PUT DELETE MKCOL COPY MOVE;
      dav_ext_methods PROPFIND OPTIONS;
      create_full_put_path on;
      min_delete_depth 0;`;

function quote(path: string): string {
  if (/["$\\\n]/.test(path)) throw new Error(`Cannot serve ${path} with nginx: odd character`);
  return `"${path}"`;
}

// nginx itself knows no PROPFIND; the module nginx-dav-ext does.
async function davModule(): Promise<{ load: string } | { missing: string }> {
  const nginx = onPath("nginx");
  if (nginx === undefined) return { missing: "nginx is not installed" };
  const built = await new Promise<string>((resolve) => {
    execFile(nginx, ["-V"], (_error, stdout, stderr) => resolve(stdout + stderr));
  });
  if (!built.includes("--with-http_dav_module")) return { missing: "nginx has no WebDAV module" };
  if (/--add-module=\S*dav-ext/.test(built)) return { load: "" };
  const prefix = /--prefix=(\S+)/.exec(built)?.[1] ?? "/usr/share/nginx";
  const folder = /--modules-path=(\S+)/.exec(built)?.[1] ?? "modules";
  const path = join(
    isAbsolute(folder) ? folder : join(prefix, folder),
    "ngx_http_dav_ext_module.so",
  );
  return existsSync(path)
    ? { load: `load_module ${quote(path)};` }
    : { missing: "nginx's module dav-ext is not installed" };
}
