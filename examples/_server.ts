/** A small HTTP server for demonstrations, on Deno, Node and Bun alike. */
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";

/** Listens at a free port of this machine until it is closed. */
export async function serve(
  answer: RequestListener,
): Promise<{ readonly url: string; close(): Promise<void> }> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}
