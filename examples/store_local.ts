/**
 * Watches a folder: `deno run -A examples/store_local.ts /var/data`. Without an argument it watches a
 * temporary folder, which it changes itself.
 */
import { ObjectStorePoller, watchExternal } from "@koprs/external";
import { LocalStore } from "@koprs/external/stores/local";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";

const [given] = process.argv.slice(2);
const folder = given ?? await mkdtemp(join(tmpdir(), "inbox-"));
const report = join(folder, "report.csv");
const demonstration = given === undefined
  ? [() => writeFile(report, "a,b\n1,2\n"), () => rm(report), () => watch.close()]
  : [];
if (given === undefined) await writeFile(report, "a,b\n");

const store = new LocalStore(folder);
const watch = watchExternal(new ObjectStorePoller(store), {
  interval: given === undefined ? 200 : 5_000,
  logger: console,
});
for await (const { type, item } of watch) {
  console.log(type, item.key, type === "removed" ? "" : `${item.size} bytes`);
  if (type !== "removed") {
    const content = await store.get(item.key, { ifMatch: item.etag });
    console.log(JSON.stringify((await new Response(content).text()).slice(0, 60)));
  }
  await demonstration.shift()?.();
}
if (given === undefined) await rm(folder, { recursive: true });
