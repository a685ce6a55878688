/**
 * Downloads objects that changed, 16 at a time, with retries: an object that fails does not hold up the others, and a
 * restart continues where the last run stopped.
 *
 * deno run -A examples/handle_downloads.ts
 *
 * Two temporary folders stand for the bucket and for the download folder.
 */
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type ExternalEvent, ObjectStorePoller, watchExternal } from "@koprs/external";
import { FileCheckpointStore } from "@koprs/external/checkpoints/file";
import type { ObjectMeta } from "@koprs/external/store";
import { LocalStore } from "@koprs/external/stores/local";
import type { HandleContext } from "@koprs/external/watcher";

const base = await mkdtemp(join(tmpdir(), "koprs-external-"));
const from = join(base, "bucket");
const to = join(base, "downloads");
for (const folder of [from, to]) await mkdir(folder);

const store = new LocalStore(from);

/** Does the work for one event. It may be called again for an object that is done already, and then does all of it. */
async function download(
  { type, item }: ExternalEvent<ObjectMeta>,
  { signal, attempt }: HandleContext,
): Promise<void> {
  const target = join(to, item.key);
  if (type === "removed") return await rm(target, { force: true });
  // Exactly the version of the event: if the object has changed since, this fails, and the newest version comes later.
  const content = await store.get(item.key, { ifMatch: item.etag, signal });
  const bytes = new Uint8Array(await new Response(content).arrayBuffer());
  if (item.key === "broken.csv" && attempt < 3) throw new Error("not a table");
  await mkdir(dirname(target), { recursive: true });
  await writeFile(target, bytes);
}

/** One run of the program. It ends when both folders have the same files. */
async function live(): Promise<void> {
  const watch = watchExternal(new ObjectStorePoller(store), {
    interval: 200,
    minBackoff: 100,
    checkpoint: new FileCheckpointStore(join(base, "state")),
    logger: false,
    onError: ({ code, key, message }, { attempt, wait }) =>
      console.log(`  ${code} ${key}: attempt ${attempt}, again in ${wait} ms (${message})`),
  });
  await watch.handle(async (event, context) => {
    await download(event, context);
    if (await namesIn(from) === await namesIn(to)) watch.close(); // Running handlers still finish.
  }, { concurrency: 16, timeout: 30_000 });
}

async function namesIn(folder: string): Promise<string> {
  return (await readdir(folder)).sort().join();
}

try {
  for (let i = 0; i < 40; i++) await writeFile(join(from, `table ${i}.csv`), `a,b\n${i},${i}\n`);
  await writeFile(join(from, "broken.csv"), "?");
  console.log("The first run: one file is handled with its third attempt, the others meanwhile:");
  await live();
  console.log(`  ${(await readdir(to)).length} files`);

  await rm(join(from, "broken.csv"));
  await writeFile(join(from, "new.csv"), "a,b\n");
  await writeFile(join(from, "newer.csv"), "a,b\n");
  console.log("Behind a restart, what changed meanwhile:");
  await live();
  console.log(`  ${(await readdir(to)).length} files, broken.csv is gone`);
} finally {
  await rm(base, { recursive: true });
}
