/** What the tests of LocalStore share. */
import { ExternalError } from "@koprs/external/error";
import type { ObjectMeta, ObjectStore } from "@koprs/external/store";
import { LocalStore, type LocalStoreOptions } from "@koprs/external/stores/local";
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";

export const posix = process.platform !== "win32";
export const linux = process.platform === "linux";

export async function withFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "koprs-external-"));
  try {
    await body(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

export async function write(
  folder: string,
  key: string,
  body: string | Uint8Array = key,
): Promise<void> {
  const path = `${folder}/${key}`;
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, body);
}

export async function list(store: ObjectStore, prefix?: string): Promise<ObjectMeta[]> {
  return (await Array.fromAsync(store.list(prefix === undefined ? {} : { prefix }))).flat();
}

export async function keysOf(folder: string, prefix?: string): Promise<string[]> {
  return (await list(new LocalStore(folder), prefix)).map(({ key }) => key);
}

export async function etagOf(
  folder: string,
  key: string,
  options?: LocalStoreOptions,
): Promise<string> {
  const store = new LocalStore(folder, options);
  const found = (await list(store)).find((object) => object.key === key);
  assert.ok(found?.etag !== undefined);
  return found.etag;
}

export function isStoreError(wanted: RegExp, status?: number): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof ExternalError, String(error));
    assert.equal(error.code, "store");
    assert.equal(error.status, status);
    assert.match(error.message, wanted);
    assert.match(error.source ?? "", /^file:/);
    return true;
  };
}
