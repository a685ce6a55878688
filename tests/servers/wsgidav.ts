// WsgiDAV, a WebDAV server in Python, serving a folder.
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { httpStatus, startServer } from "./process.ts";
import { type CachedTool, cachedTool } from "./tools.ts";
import type { WebDavOptions, WebDavServer } from "./webdav.ts";

const VERSION = "4.3.3";

/** An environment of its own in the cache, made by whichever Python is there. */
const INSTALL = `import subprocess, sys, venv
folder = sys.argv[1]
venv.create(folder, with_pip=True)
pip = [folder + "/bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
sys.exit(subprocess.call(pip + sys.argv[2:]))
`;

export const wsgiDav: CachedTool = {
  name: "wsgidav",
  version: VERSION,
  // Not the script of that name: it holds the path of the folder that it was installed to.
  program: "bin/python",
  installer: "python3",
  installerMissing: "Python is not installed",
  install: (folder) => ({
    args: ["-c", INSTALL, folder, `WsgiDAV==${VERSION}`, "cheroot==10.0.1"],
  }),
  unasked: true,
};

/** Why WsgiDAV cannot be started, or undefined. */
export async function missingWsgiDav(): Promise<string | undefined> {
  const tool = await cachedTool(wsgiDav);
  return "missing" in tool ? tool.missing : undefined;
}

/** Starts WsgiDAV. Its listings carry ETags without quotes. */
export async function startWsgiDav(options: WebDavOptions = {}): Promise<WebDavServer> {
  const tool = await cachedTool(wsgiDav);
  if ("missing" in tool) throw new Error(`Cannot start WsgiDAV: ${tool.missing}`);
  let root = "";
  const server = await startServer({
    name: "WsgiDAV",
    launch: async ({ port, folder }) => {
      root = options.root ?? join(folder, "root");
      await mkdir(root, { recursive: true });
      const config = join(folder, "wsgidav.json");
      await writeFile(
        config,
        JSON.stringify({
          host: "127.0.0.1",
          port,
          server: "cheroot",
          provider_mapping: { "/": root },
          simple_dc: { user_mapping: { "*": true } },
          http_authenticator: { domain_controller: null },
          lock_storage: true,
          property_manager: null,
          verbose: 1,
        }),
      );
      return {
        command: tool.path,
        args: ["-m", "wsgidav.server.server_cli", "--config", config],
        env: { PYTHONUNBUFFERED: "1" },
      };
    },
    ready: async ({ port }) => await httpStatus(port, "/") !== undefined,
  });
  return Object.assign(server, { url: `http://127.0.0.1:${server.port}/`, root });
}
