// HTTP servers on free ports of 127.0.0.1 that end with their test, and short ways to poll them.
import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type AddressInfo, createServer as createRawServer, type Socket } from "node:net";
import { type ExternalError, type ExternalEvent, HttpPoller } from "@koprs/external";
import type { HttpPollerOptions, HttpResource } from "@koprs/external/http";
import { ExternalError as Failure } from "@koprs/external/error";

/** What servers need of a test's context. */
export interface Scope {
  after(callback: () => unknown): void;
}

/** A request, as a server saw it. */
export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

export interface TestServer {
  /** Without a final slash. */
  readonly origin: string;
  /** Every request so far. */
  readonly requests: readonly Seen[];
  /** The last request. */
  readonly last: Seen;
}

export type Handler = (
  request: IncomingMessage,
  response: ServerResponse,
  nth: number,
) => unknown;

/** Serves with node:http. `nth` counts the requests from 1. */
export async function serve(scope: Scope, handler: Handler): Promise<TestServer> {
  const requests: Seen[] = [];
  const server = createServer((request, response) => {
    const { method = "", url = "", headers } = request;
    requests.push({ method, url, headers });
    handler(request, response, requests.length);
  });
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  scope.after(() =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
      for (const socket of sockets) socket.destroy();
    })
  );
  return {
    origin: originOf(server.address()),
    requests,
    get last() {
      return requests.at(-1)!;
    },
  };
}

/** What a scripted server answers to one request. */
export interface Step {
  readonly status?: number;
  readonly body?: string;
  readonly headers?: Record<string, string>;
}

export function send(
  response: ServerResponse,
  { status = 200, body = "", headers = {} }: Step,
): void {
  response.writeHead(status, headers).end(body);
}

/** A connection to a raw server. */
export interface Connection {
  readonly socket: Socket;
  /** Settles when it is closed, by whichever side. */
  readonly closed: Promise<void>;
}

export interface RawServer {
  readonly origin: string;
  readonly connections: readonly Connection[];
  /** The heads of all requests so far, as text. */
  readonly heads: readonly string[];
}

export type RawHandler = (socket: Socket, nth: number, head: string) => unknown;

/** Serves bytes with node:net. The handler is called for every request head; `nth` counts from 1. */
export async function serveRaw(scope: Scope, handler: RawHandler): Promise<RawServer> {
  const connections: Connection[] = [];
  const heads: string[] = [];
  const server = createRawServer((socket) => {
    connections.push({
      socket,
      closed: new Promise((resolve) => socket.once("close", () => resolve())),
    });
    socket.on("error", () => {}); // Resets are what these tests are about.
    let text = "";
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
      for (let end = text.indexOf("\r\n\r\n"); end >= 0; end = text.indexOf("\r\n\r\n")) {
        const head = text.slice(0, end);
        text = text.slice(end + 4);
        heads.push(head);
        handler(socket, heads.length, head);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  scope.after(() =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      for (const { socket } of connections) socket.destroy();
    })
  );
  return { origin: originOf(server.address()), connections, heads };
}

/** A whole answer of HTTP/1.1, with a Content-Length unless the headers have their own framing. */
export function answer(status: number, headers: Record<string, string>, body = ""): string {
  const framed = Object.keys(headers).some((name) =>
    /^(content-length|transfer-encoding)$/i.test(name)
  );
  const all = framed ? headers : { ...headers, "Content-Length": String(body.length) };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return `HTTP/1.1 ${status} Status\r\n${lines}\r\n${body}`;
}

/** The events of one poll, all handled. */
export async function poll(
  poller: HttpPoller<unknown>,
  signal: AbortSignal = new AbortController().signal,
): Promise<ExternalEvent<HttpResource>[]> {
  return [...await poller.poll({ signal })];
}

/** The types of the events of one poll, and their content: `added one`. */
export async function told(poller: HttpPoller<unknown>): Promise<string> {
  const events = await poll(poller);
  return events.map(({ type, item }) => `${type} ${item.text()}`.trim()).join(", ");
}

/** The error of a poll that must fail. */
export async function failure(
  poller: HttpPoller<unknown>,
  signal?: AbortSignal,
): Promise<ExternalError> {
  let events: ExternalEvent<HttpResource>[];
  try {
    events = await poll(poller, signal);
  } catch (error) {
    assert(error instanceof Failure, `not an ExternalError: ${error}`);
    assert.equal(error.source, poller.name);
    return error;
  }
  assert.fail(`a poll that should fail gave ${JSON.stringify(events)}`);
}

/** A poller of a server's path. */
export function pollerOf(
  server: { readonly origin: string },
  options?: HttpPollerOptions,
  path = "/",
): HttpPoller {
  return new HttpPoller(server.origin + path, options);
}

function originOf(address: AddressInfo | string | null): string {
  assert(address !== null && typeof address === "object");
  return `http://127.0.0.1:${address.port}`;
}
