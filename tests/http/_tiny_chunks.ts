// Polls a URL in a process of its own, and prints how much its memory grew at the peak, in bytes.
// Usage: _tiny_chunks.ts ORIGIN SIZE
import process from "node:process";
import { HttpPoller } from "@koprs/external/http";

const [, , origin, size = ""] = process.argv;

async function poll(bytes: number): Promise<void> {
  const poller = new HttpPoller(`${origin}/${bytes}`, { timeout: 60_000 });
  const [event] = await poller.poll({ signal: new AbortController().signal });
  if (event?.item.body.length !== bytes) throw new Error("the body is not whole");
}

await poll(1_000); // What the first request loads is not counted.
const before = process.memoryUsage().rss;
let peak = before;
const look = () => peak = Math.max(peak, process.memoryUsage().rss);
const id = setInterval(look, 5);
await poll(Number(size));
clearInterval(id);
look();
console.log(peak - before);
process.exit();
