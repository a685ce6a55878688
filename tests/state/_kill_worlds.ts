// What the killed programs watch: a folder, and one resource of a server.
import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ObjectStore } from "@koprs/external/store";
import { LocalStore } from "@koprs/external/stores/local";
import type { World } from "./_kill.ts";
import type { Handler, Scope } from "../http/_http_server.ts";

export async function temporaryFolder(scope: Scope): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "koprs-external-"));
  scope.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Objects as a consumer of their events knows them. */
export async function objectsOf(store: ObjectStore, prefix = ""): Promise<Map<string, string>> {
  const objects = new Map<string, string>();
  for await (const page of store.list({ prefix })) {
    for (const { key, etag, size } of page) objects.set(key, `${etag} ${size}`);
  }
  return objects;
}

/** A folder of up to so many files. */
export function folderWorld(folder: string, files: number): World {
  let written = 0;
  return {
    change(count, random) {
      const there = new Set(readdirSync(folder));
      for (let i = 0; i < count; i++) {
        const name = `file-${Math.floor(random() * files)}`;
        const remove = random() < 0.4 && there.delete(name);
        if (remove) rmSync(join(folder, name));
        else {
          writeFileSync(join(folder, name), "x".repeat(++written)); // No two sizes are the same.
          there.add(name);
        }
      }
      return Promise.resolve();
    },
    reality: () => objectsOf(new LocalStore(folder)),
  };
}

/** One resource, there or not, with ETags. */
export function resourceWorld(): World & { readonly handler: Handler } {
  let content: string | undefined;
  let written = 0;
  return {
    async change(count, random) {
      for (let i = 0; i < count; i++) {
        content = random() < 0.3 ? undefined : `version ${++written}`;
        await new Promise((resolve) => setTimeout(resolve, 3));
      }
    },
    reality: () => Promise.resolve(new Map(content === undefined ? [] : [["resource", content]])),
    handler(request, response) {
      if (content === undefined) return response.writeHead(404).end();
      const etag = `"${content}"`;
      const known = request.headers["if-none-match"] === etag;
      response.writeHead(known ? 304 : 200, { etag });
      response.end(known ? undefined : content);
    },
  };
}
