/**
 * Watches a folder on a WebDAV server:
 * `deno run -A examples/store_webdav.ts https://user:password@cloud.example.com/dav/inbox`. Without an
 * argument it starts a server of its own, if rclone or nginx with dav-ext is installed.
 */
import { ObjectStorePoller, watchExternal } from "@koprs/external";
import { WebDavStore } from "@koprs/external/stores/webdav";
import { mkdir, rm, writeFile } from "node:fs/promises";
import process from "node:process";
import {
  missingNginxWebDav,
  missingRcloneWebDav,
  startNginxWebDav,
  startRcloneWebDav,
} from "../tests/servers/webdav.ts";

const [given] = process.argv.slice(2);
const server = given === undefined ? await startServer() : undefined;
const url = given ?? `${server?.url}inbox/`;
const report = `${server?.root}/inbox/report.csv`;
const demonstration = server === undefined
  ? []
  : [() => writeFile(report, "a,b\n1,2\n"), () => rm(report), () => watch.close()];
if (server !== undefined) {
  await mkdir(`${server.root}/inbox`);
  await writeFile(report, "a,b\n");
}

const store = new WebDavStore(url);
const watch = watchExternal(new ObjectStorePoller(store), {
  interval: server === undefined ? 30_000 : 200,
  logger: console,
});
console.log("watching", store.name);
for await (const { type, item } of watch) {
  console.log(type, item.key, type === "removed" ? "" : `${item.size} bytes`);
  if (type !== "removed") {
    const condition = item.etag === undefined ? {} : { ifMatch: item.etag };
    const content = await store.get(item.key, condition);
    console.log(JSON.stringify((await new Response(content).text()).slice(0, 60)));
  }
  await demonstration.shift()?.();
}
await server?.stop();

async function startServer() {
  if (await missingRcloneWebDav() === undefined) return await startRcloneWebDav();
  const missing = await missingNginxWebDav();
  if (missing === undefined) return await startNginxWebDav();
  console.log(`${missing}: give the URL of a WebDAV folder`);
  process.exit(0);
}
