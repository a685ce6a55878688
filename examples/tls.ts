/**
 * Uses a private CA and a client certificate, by a `fetch` that has them; a proxy works the same way. Run it with
 * your files:
 *
 *     deno run -A examples/tls.ts https://host/config ca.pem client.pem client.key
 */
import { readFile } from "node:fs/promises";
import process from "node:process";
import { HttpPoller, watchExternal } from "@koprs/external";

const [url, ca, cert, key] = process.argv.slice(2);
if (url === undefined || ca === undefined || cert === undefined || key === undefined) {
  console.log("Usage: tls.ts URL CA.pem CLIENT.pem CLIENT.key");
  process.exit(0);
}

const client = Deno.createHttpClient({
  caCerts: [await readFile(ca, "utf8")],
  cert: await readFile(cert, "utf8"),
  key: await readFile(key, "utf8"),
  // proxy: { url: "http://proxy:3128" },
});
const poller = new HttpPoller(url, {
  fetch: (input, init) => fetch(input, { ...init, client }),
});

// On Node, with `undici`:
//   const dispatcher = new Agent({ connect: { ca, cert, key } });   // or a ProxyAgent
//   fetch: (input, init) => undici.fetch(input, { ...init, dispatcher })
// On Bun:
//   fetch: (input, init) => fetch(input, { ...init, tls: { ca, cert, key } })

for await (const event of watchExternal(poller, 30_000)) {
  console.log(event.type, event.item.url);
}
