/** Polls every hour, and at once whenever a webhook says that something changed. */
import { HttpPoller, watchExternal } from "@koprs/external";

let content = "one";
const upstream = Deno.serve(
  { port: 0, onListen() {} },
  () => new Response(content),
);

const watch = watchExternal(
  new HttpPoller(`http://localhost:${upstream.addr.port}/`),
  60 * 60 * 1_000,
);
const hooks = Deno.serve({ port: 0, onListen() {} }, (request) => {
  if (request.method !== "POST") return new Response(null, { status: 405 });
  watch.refresh();
  return new Response(null, { status: 202 });
});

// Somebody changes the content, and calls the hook.
watch.synced.then(async () => {
  content = "two";
  await fetch(`http://localhost:${hooks.addr.port}/`, { method: "POST" });
});

for await (const event of watch) {
  console.log(event.type, event.item.text());
  if (event.type === "modified") break;
}
await Promise.all([hooks.shutdown(), upstream.shutdown()]);
