// The WebDAV servers that the store is tested with, and what each of them cannot do.
import { ExternalError } from "@koprs/external/error";
import type { ObjectMeta, ObjectStore } from "@koprs/external/store";
import assert from "node:assert/strict";
import { mkdir, utimes, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { missingApache, startApache } from "./apache.ts";
import { missingLighttpd, startLighttpd } from "./lighttpd.ts";
import {
  missingNginxWebDav,
  missingRcloneWebDav,
  startNginxWebDav,
  startRcloneWebDav,
  type WebDavServer,
} from "./webdav.ts";
import { missingWsgiDav, startWsgiDav } from "./wsgidav.ts";

export interface Case {
  readonly name: string;
  readonly missing: string | undefined;
  readonly start: () => Promise<WebDavServer>;
  /** Names that the server does not serve as they are. */
  readonly refuses: (key: string) => boolean;
  /** Whether it heeds the conditions of a write. */
  readonly heeds: boolean;
  /** Whether it tells the ETag of what was written, as the suite for stores demands. */
  readonly tells: boolean;
}

export const servers: readonly Case[] = [
  {
    name: "rclone",
    missing: await missingRcloneWebDav(),
    start: startRcloneWebDav,
    // It shows control characters as their pictures in Unicode.
    // deno-lint-ignore no-control-regex -- these are meant
    refuses: (key) => /[\u0000-\u001f\u007f]/.test(key),
    heeds: false,
    tells: true,
  },
  {
    name: "nginx dav-ext",
    missing: await missingNginxWebDav(),
    start: startNginxWebDav,
    // It hides what begins with a dot.
    refuses: (key) => /(^|\/)\./.test(key),
    heeds: false,
    tells: false,
  },
  {
    name: "Apache mod_dav",
    missing: await missingApache(),
    start: startApache,
    refuses: () => false,
    heeds: true,
    tells: false,
  },
  {
    name: "lighttpd",
    missing: await missingLighttpd(),
    start: startLighttpd,
    // It refuses control characters in URLs.
    // deno-lint-ignore no-control-regex -- these are meant
    refuses: (key) => /[\u0000-\u001f\u007f]/.test(key),
    heeds: true,
    tells: true,
  },
  {
    name: "WsgiDAV",
    missing: await missingWsgiDav(),
    start: startWsgiDav,
    refuses: () => false,
    // On a file that is not there, `If-Match` creates it.
    heeds: false,
    tells: true,
  },
];

/** A file that is written to whatever the server shows of it. */
export async function write(
  server: WebDavServer,
  key: string,
  body: string | Uint8Array,
): Promise<void> {
  const path = `${server.root}/${key}`;
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, body);
}

/** The same with a time of its own: without ETags, two writes within a second look like one. */
export async function writeLater(
  server: WebDavServer,
  key: string,
  body: Uint8Array,
): Promise<void> {
  await write(server, key, body);
  await utimes(`${server.root}/${key}`, ++seconds, seconds);
}

let seconds = Math.floor(Date.now() / 1000) - 40_000;

export function isPath(key: string): boolean {
  return !key.includes("\0") &&
    key.split("/").every((name) =>
      name !== "" && name !== "." && name !== ".." && new TextEncoder().encode(name).length < 256
    );
}

/** Without `put`, where the server heeds no conditions. */
export function readOnly(store: ObjectStore): ObjectStore {
  return {
    name: store.name,
    list: (options) => store.list(options),
    get: (key, options) => store.get(key, options),
  };
}

export async function list(store: ObjectStore): Promise<ObjectMeta[]> {
  return (await Array.fromAsync(store.list())).flat();
}

export function keysOf(objects: readonly ObjectMeta[]): string[] {
  return objects.map(({ key }) => key);
}

export function isError(code: string, status?: number): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof ExternalError, String(error));
    assert.deepEqual([error.code, error.status], [code, status], error.message);
    return true;
  };
}
