/**
 * Hono: one watch serves any number of browsers by server-sent events. Each browser is first sent the newest state,
 * and then every change, so none has to poll.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { HttpPoller, type HttpResource, watchExternal } from "@koprs/external";
import { Hono } from "hono";
import { type SSEStreamingApi, streamSSE } from "hono/streaming";
import { serve } from "../_server.ts";

// What is watched: a configuration that changes with every poll.
let version = 0;
const origin = await serve((_, response) => response.end(JSON.stringify({ version: ++version })));
const config = new HttpPoller(`${origin.url}/config.json`, { remember: "body" });
const watch = watchExternal(config, 100);

const clients = new Set<SSEStreamingApi>();

/** Handles the events one by one: each is handled when it was written to all browsers. */
const watching = watch.handle(async ({ type, item }) => {
  await Promise.all(Array.from(clients, (client) => send(client, type, item)));
});

function send(client: SSEStreamingApi, event: string, item: HttpResource): Promise<void> {
  return client.writeSSE({ event, data: item.text(), ...(item.etag && { id: item.etag }) });
}

const app = new Hono();
app.get("/events", (context) =>
  streamSSE(context, async (client) => {
    if (config.current !== undefined) await send(client, "current", config.current);
    clients.add(client);
    await new Promise<void>((resolve) => client.onAbort(resolve));
    clients.delete(client);
  }));
app.get("/healthz", (context) => context.json(watch.status, watch.status.failures > 5 ? 503 : 200));

// In your program: `Deno.serve(app.fetch)`, on Bun `export default app`, on Node `serve(app)` of @hono/node-server.
const server = await serve((request, response) => void answer(request, response));

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const gone = new AbortController();
  response.on("close", () => gone.abort());
  const url = `http://${request.headers.host}${request.url}`;
  const { status, headers, body } = await app.fetch(new Request(url, { signal: gone.signal }));
  response.writeHead(status, Object.fromEntries(headers));
  for await (const chunk of body ?? []) response.write(chunk);
  response.end();
}

// In a browser: `new EventSource("/events")`.
const leave = new AbortController();
const { body } = await fetch(`${server.url}/events`, { signal: leave.signal });
const reader = body?.pipeThrough(new TextDecoderStream()).getReader();
let text = "";
while (text.split("\n\n").length <= 3) text += (await reader?.read())?.value ?? "";
console.log(text.trim());
leave.abort();

console.log("healthz:", (await fetch(`${server.url}/healthz`)).status);
watch.close();
await watching;
await server.close();
await origin.close();
