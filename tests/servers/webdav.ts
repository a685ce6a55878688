// Two WebDAV servers (RFC 4918) on a folder: rclone, and nginx with the module dav-ext.
import { randomBytes } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { missingNginxWebDav, startNginx } from "./nginx.ts";
import { httpStatus, type ServerProcess, startServer } from "./process.ts";
import { onPath } from "./tools.ts";

/** Options of both servers. */
export interface WebDavOptions {
  /** The folder to serve. @default {a new one, removed by `stop`} */
  readonly root?: string;
}

/** Options of {@linkcode startRcloneWebDav}. */
export interface RcloneWebDavOptions extends WebDavOptions {
  /** Ask for the user and password in the server's `credentials`. @default {false} */
  readonly auth?: boolean;
  /** The ETag is a hash of the content, not of its time and size. @default {false} */
  readonly contentEtag?: boolean;
}

/** A running WebDAV server. */
export interface WebDavServer extends ServerProcess {
  /** With a final slash. */
  readonly url: string;
  /** The folder it serves: what is written there shows at once. */
  readonly root: string;
  /** Of a server started with `auth`. */
  readonly credentials?: { readonly user: string; readonly password: string };
}

/** Why rclone cannot be started, or undefined. */
export function missingRcloneWebDav(): Promise<string | undefined> {
  return Promise.resolve(onPath("rclone") === undefined ? "rclone is not installed" : undefined);
}

/** Starts `rclone serve webdav`. Its listings carry ETags. */
export async function startRcloneWebDav(options: RcloneWebDavOptions = {}): Promise<WebDavServer> {
  const rclone = onPath("rclone");
  if (rclone === undefined) throw new Error("Cannot start rclone: rclone is not installed");
  const credentials = { user: "koprs", password: randomBytes(12).toString("hex") };
  const env: Record<string, string> = options.auth
    ? { RCLONE_USER: credentials.user, RCLONE_PASS: credentials.password }
    : {};
  let root = "";
  const server = await startServer({
    name: "rclone",
    launch: async ({ port, folder }) => {
      root = options.root ?? join(folder, "root");
      await mkdir(root, { recursive: true });
      return {
        command: rclone,
        args: [
          ...["serve", "webdav", root, "--addr", `127.0.0.1:${port}`],
          ...["--config", "", "--cache-dir", join(folder, "cache"), "--log-level", "ERROR"],
          ...["--dir-cache-time", "0s", "--poll-interval", "0s"], // what is on disk shows at once
          ...(options.contentEtag ? ["--etag-hash", "MD5"] : []),
        ],
        env,
      };
    },
    ready: async ({ port }) => await httpStatus(port, "/") === (options.auth ? 401 : 200),
  });
  const url = `http://127.0.0.1:${server.port}/`;
  return Object.assign(server, { url, root, ...(options.auth ? { credentials } : {}) });
}

export { missingNginxWebDav };

/** Starts nginx with dav-ext. Its listings carry no ETags, only sizes and times. */
export async function startNginxWebDav(options: WebDavOptions = {}): Promise<WebDavServer> {
  const server = await startNginx({ ...options, webdav: true });
  return Object.assign(server, { url: `${server.url}/` });
}
