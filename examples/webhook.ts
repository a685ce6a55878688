/** Polls every hour, and at once whenever a webhook says that something changed. */
import { HttpPoller, watchExternal } from "@koprs/external";
import { serve } from "./_server.ts";

let content = "one";
const upstream = await serve((_, response) => void response.end(content));

const watch = watchExternal(
  new HttpPoller(upstream.url),
  60 * 60 * 1_000,
);
const hooks = await serve((request, response) => {
  if (request.method !== "POST") return void response.writeHead(405).end();
  watch.refresh();
  response.writeHead(202).end();
});

// Somebody changes the content, and calls the hook.
watch.synced.then(async () => {
  content = "two";
  await fetch(hooks.url, { method: "POST" });
});

for await (const event of watch) {
  console.log(event.type, event.item.text());
  if (event.type === "modified") break;
}
await Promise.all([hooks.close(), upstream.close()]);
