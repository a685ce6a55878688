// A proxy before a real server that breaks a page of a listing, each time in another way.
import {
  createServer,
  type IncomingMessage,
  request,
  type Server,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";

/**
 * How a page breaks. A connection closed before it answers is none: clients take it for one that timed out
 * between requests, and silently ask again.
 */
export type Fault = "unavailable" | "cut" | "short" | "not a listing";

/** All of them. */
export const FAULTS: readonly Fault[] = ["unavailable", "cut", "short", "not a listing"];

/** Whether a request asks for a page of a listing, and for which. */
export type Classify = (path: string) => "first" | "next" | undefined;

export interface ListingProxy {
  readonly port: number;
  /** Requests for pages so far. */
  readonly pages: number;
  /** Makes the n-th page of the next listing fail; see `StoreFixture.failPage`. */
  failPage(n: number, fault?: Fault): void;
  /** Calls back before the n-th page of the next listing is asked of the server. */
  beforePage(n: number, hook: () => void | Promise<void>): void;
  /** Lets every request for a page hang from now on. Resolves when a client has given one up. */
  hang(): Promise<void>;
  close(): Promise<void>;
}

export async function startListingProxy(
  target: number,
  classify: Classify,
): Promise<ListingProxy> {
  let armed: { n: number; act: Fault | (() => void | Promise<void>) } | undefined;
  let current: typeof armed;
  let page = 0;
  let pages = 0;
  let turn = 0;
  let hanging: (() => void) | undefined;

  const server: Server = createServer(async (incoming, outgoing) => {
    const path = incoming.url ?? "";
    // Not the answer alone: Bun would send an empty one.
    const drop = () => void incoming.socket.destroy();
    const kind = classify(path);
    let fault: Fault | undefined;
    if (kind !== undefined) {
      pages++;
      if (hanging !== undefined) return void outgoing.once("close", hanging);
      if (kind === "first") {
        current = armed;
        armed = undefined;
        page = 0;
      }
      if (++page === current?.n) {
        const { act } = current;
        if (typeof act === "function") await act();
        else fault = act;
      }
    }
    if (fault === "unavailable") {
      outgoing.writeHead(503, { "content-type": "text/plain", "retry-after": "7" });
      outgoing.end("busy");
      return;
    }
    forward(incoming.method ?? "GET", path, fault);

    function forward(method: string, path: string, fault: Fault | undefined): void {
      const options = { host: "127.0.0.1", port: target, method, path, agent: false };
      const onward = request({ ...options, headers: incoming.headers }, (answer) => {
        const chunks: Uint8Array[] = [];
        answer.on("data", (chunk: Uint8Array) => chunks.push(chunk));
        answer.on("error", () => drop());
        answer.on("end", () => {
          const { "transfer-encoding": _, ...headers } = answer.headers;
          const body = join(chunks);
          // Bun ends an answer that was cut like one that is whole.
          if (kind !== undefined && !isWhole(answer, body)) return void drop();
          send(outgoing, answer.statusCode ?? 500, headers, body, fault);
        });
      });
      onward.on("error", () => drop());
      incoming.pipe(onward);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    get pages() {
      return pages;
    },
    failPage(n, fault = FAULTS[turn++ % FAULTS.length]) {
      armed = { n, act: fault ?? "cut" };
      current = undefined;
    },
    beforePage(n, hook) {
      armed = { n, act: hook };
      current = undefined;
    },
    hang: () => new Promise((resolve) => hanging = resolve),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Whether all of a listing came. None is empty: every service answers with a document. */
function isWhole(answer: IncomingMessage, { length }: Uint8Array): boolean {
  const announced = answer.headers["content-length"];
  return answer.complete && (announced === undefined ? length > 0 : length === Number(announced));
}

function send(
  outgoing: ServerResponse,
  status: number,
  headers: Record<string, string | string[] | undefined>,
  body: Uint8Array,
  fault: Fault | undefined,
): void {
  const half = body.subarray(0, body.length >> 1);
  if (fault === "not a listing") body = new TextEncoder().encode("<html>Sign in</html>");
  if (fault === "short") body = half;
  outgoing.writeHead(status, { ...headers, "content-length": body.length });
  if (fault === "cut") outgoing.write(half, () => outgoing.destroy());
  else outgoing.end(body);
}

function join(chunks: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}
