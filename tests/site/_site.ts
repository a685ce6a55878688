// Builds the guide as its readers get it, into a folder of its own, and serves it.
import { cp, mkdtemp, readFile, rm, symlink } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, extname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { type CachedTool, cachedTool, npmTool, run, systemTool } from "../servers/tools.ts";

const repository = fileURLToPath(new URL("../../", import.meta.url));

/** The generator, as `docs/package.json` names it, and what drives the browser. */
export const vitepress: CachedTool = {
  ...npmTool("vitepress", "1.6.4", "bin/vitepress.js"),
  install: (folder) => ({
    args: [
      ...["install", "--prefix", folder, "--no-audit", "--no-fund", "--no-package-lock"],
      ...["--loglevel=error", "--ignore-scripts", "vitepress@1.6.4", "puppeteer-core@25.16.0"],
    ],
  }),
  unasked: false,
};

/** A built site, served on loopback. */
export interface Site {
  readonly url: string;
  readonly folder: string;
  close(): Promise<void>;
}

/** What a test drives a browser with, or why there is none. */
export async function browserTools(): Promise<
  { readonly generator: string; readonly chromium: string } | { readonly missing: string }
> {
  const chromium = systemTool("chromium");
  if ("missing" in chromium) return chromium;
  const generator = await cachedTool(vitepress);
  if ("missing" in generator) return generator;
  return { generator: generator.path, chromium: chromium.path };
}

/** Builds the site from a copy, so that the repository stays as it is, and serves it. */
export async function buildSite(generator: string): Promise<Site> {
  const folder = await mkdtemp(join(tmpdir(), "koprs-site-"));
  try {
    const docs = join(folder, "docs");
    const filter = (path: string) => !/node_modules|dist|cache/.test(path.slice(repository.length));
    await cp(join(repository, "docs"), docs, { recursive: true, filter });
    await symlink(join(dirname(generator), "../.."), join(docs, "node_modules"));
    const failure = await run("node", [generator, "build", docs], folder);
    if (failure !== undefined) throw new Error(`The site does not build: ${failure}`);
    return await serve(folder, join(docs, ".vitepress/dist"));
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

const types: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".json": "application/json",
  ".svg": "image/svg+xml",
  ".woff2": "font/woff2",
};

async function serve(folder: string, root: string): Promise<Site> {
  const server = createServer(async (request, response) => {
    const path = new URL(request.url ?? "/", "http://site").pathname;
    try {
      const body = await readFile(join(root, path.endsWith("/") ? `${path}index.html` : path));
      response.setHeader("content-type", types[extname(path)] ?? "text/html; charset=utf-8");
      response.end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    folder,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Where to keep screenshots for a person to look at: only where this is set. */
export const SCREENSHOTS: string | undefined = process.env.KOPRS_SCREENSHOTS;
