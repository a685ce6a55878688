/**
 * Checks that a store honours the conditions of a `put`. Some servers ignore them, and then a writer with old state
 * is never refused.
 */
import { ExternalError } from "../_errors/external_error.ts";
import type { ObjectStore, PutOptions } from "./object_store.ts";

/** A store that can write. */
export type WritableStore = ObjectStore & Required<Pick<ObjectStore, "put">>;

const BODY = "Shows whether the server honours the conditions of a write. It may be deleted.\n";

const checked = new WeakMap<ObjectStore, Promise<void>>();

/**
 * Throws an error of code `checkpoint` if the store ignores a condition, or lists no ETags for one. Checks each
 * store object once, with three or four small requests.
 *
 * @param key The object to test with. It stays in the store.
 * @param source The source whose checkpoint is to be kept there.
 */
export function checkConditions(
  store: WritableStore,
  key: string,
  source: string,
): Promise<void> {
  let check = checked.get(store);
  if (check === undefined) {
    check = checkStore(store, key, source);
    checked.set(store, check);
    check.catch(() => checked.delete(store)); // Whoever waits gets the error; the next one checks again.
  }
  return check;
}

async function checkStore(store: WritableStore, key: string, source: string): Promise<void> {
  // If the object exists, the first write must be refused. If not, that write makes it, and the second must be
  // refused.
  const first = await isRefused(store, key, { ifNoneMatch: "*" });
  if (!first && !await isRefused(store, key, { ifNoneMatch: "*" })) {
    throw ignores(store, "ifNoneMatch", source);
  }
  const etag = await listedEtag(store, key, source);
  if (!await isRefused(store, key, { ifMatch: otherThan(etag) })) {
    throw ignores(store, "ifMatch", source);
  }
}

async function isRefused(store: WritableStore, key: string, options: PutOptions): Promise<boolean> {
  try {
    await store.put(key, new TextEncoder().encode(BODY), options);
    return false;
  } catch (thrown) {
    if (isRefusal(thrown, options)) return true;
    // A server that does not know the condition may say so.
    if (thrown instanceof ExternalError && thrown.status === 501) return false;
    throw thrown;
  }
}

/** Whether a `put` was refused because its condition does not hold, or because of another write at the same time. */
export function isRefusal(thrown: unknown, { ifMatch }: PutOptions): boolean {
  const { status } = thrown instanceof ExternalError ? thrown : {};
  // S3 answers 404 if the object to replace does not exist, and 409 if two write at once.
  return status === 412 || status === 409 || status === 404 && ifMatch !== undefined;
}

async function listedEtag(store: WritableStore, key: string, source: string): Promise<string> {
  for await (const page of store.list({ prefix: key })) {
    const found = page.find((object) => object.key === key);
    if (found?.etag !== undefined) return found.etag;
    if (found !== undefined) throw noEtag(store, source);
  }
  throw new ExternalError(
    "store",
    `Cannot keep the checkpoint of '${source}' in '${store.name}' as it does not list '${key}', which was written ` +
      "just now",
    { source },
  );
}

/** An ETag of the same form that no object has: a store may refuse an ETag of any other form. */
function otherThan(etag: string): string {
  const strong = etag.replace(/^W\//, "");
  const other = strong.replace(/[0-9A-Za-z](?=[^0-9A-Za-z]*$)/, (last) => last === "1" ? "2" : "1");
  return other === strong ? '"1"' : other;
}

function ignores(store: ObjectStore, condition: keyof PutOptions, source: string): ExternalError {
  return new ExternalError(
    "checkpoint",
    `Cannot keep the checkpoint of '${source}' in '${store.name}' as its server ignores the condition ` +
      `'${condition}' of a write, so that a process with old state could overwrite newer state: use another store`,
    { source },
  );
}

/** The error for a store without ETags. */
export function noEtag(store: ObjectStore, source: string): ExternalError {
  return new ExternalError(
    "checkpoint",
    `Cannot keep the checkpoint of '${source}' in '${store.name}' as the store gives no ETag, so ` +
      "no write can be conditional: use another store",
    { source },
  );
}
