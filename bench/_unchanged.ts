/** A server whose content never changes, as another process or in place of `fetch`: for benchmarks of many sources. */
import { createServer } from "node:http";
import { announce } from "./_harness.ts";

const ETAG = '"0123456789abcdef0123456789abcdef"';

/** Answers 304 to requests with the current ETag. */
export function serveUnchanged(): void {
  const server = createServer((request, response) => {
    response.setHeader("etag", ETAG);
    if (request.headers["if-none-match"] === ETAG) response.writeHead(304).end();
    else response.end("{}");
  });
  announce(server);
}

/** Answers at once, without a network, as such a server would answer a first request. */
export function answer(): Promise<Response> {
  return Promise.resolve(new Response("{}", { headers: { etag: ETAG } }));
}
