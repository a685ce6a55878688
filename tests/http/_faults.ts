// What a server may do wrong, and which code the error has then.
import { Buffer } from "node:buffer";
import { gzipSync } from "node:zlib";
import type { ExternalErrorCode } from "@koprs/external";
import type { HttpPollerOptions } from "@koprs/external/http";
import type { RawHandler } from "./_http_server.ts";

export const OK = "HTTP/1.1 200 OK\r\n";
export const gzipped = gzipSync("content that is compressed, and long enough to be cut");

export interface Fault {
  readonly what: string;
  /** Bytes to send, or what to do with the socket. */
  readonly reply: string | Uint8Array | RawHandler;
  /** Send a FIN behind the bytes. */
  readonly end?: boolean;
  readonly codes: readonly ExternalErrorCode[];
  readonly message?: RegExp;
  readonly options?: HttpPollerOptions;
}

/** A head, and a body behind it. */
export function bytes(head: string, body: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(head), body]);
}

/** Of what may be seen as a broken connection, or as a broken answer. */
export const broken: readonly ExternalErrorCode[] = ["network", "protocol"];
export const faults: Fault[] = [
  { what: "a connection closed at once", reply: (socket) => socket.end(), codes: ["network"] },
  {
    what: "a connection reset at once",
    reply: (socket) => socket.resetAndDestroy(),
    codes: ["network"],
  },
  { what: "a garbage status line", reply: "HELLO WORLD\r\n\r\n", end: true, codes: ["network"] },
  { what: "another protocol", reply: "SSH-2.0-OpenSSH_9.2\r\n", end: true, codes: ["network"] },
  { what: "a head that is cut", reply: `${OK}Content-Le`, end: true, codes: ["network"] },
  {
    what: "an answer of 1xx alone",
    reply: "HTTP/1.1 103 Early Hints\r\n\r\n",
    end: true,
    codes: ["network"],
  },
  {
    what: "an upgrade nobody asked for",
    reply: "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    end: true,
    codes: ["network", "status"],
  },
  {
    what: "a body shorter than its Content-Length",
    reply: `${OK}Content-Length: 10\r\n\r\ngood`,
    end: true,
    codes: ["network"],
  },
  {
    what: "a reset in the middle of the body",
    reply: (socket) =>
      socket.write(`${OK}Content-Length: 10\r\n\r\ngood`, () => socket.resetAndDestroy()),
    codes: ["network"],
  },
  {
    what: "two lengths",
    reply: `${OK}Content-Length: 4\r\nContent-Length: 9\r\n\r\ngood body`,
    end: true,
    codes: broken,
  },
  {
    what: "a length and chunks that disagree",
    reply: `${OK}Content-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ngood\r\n0\r\n\r\n`,
    end: true,
    codes: broken,
  },
  {
    what: "a chunk that is cut",
    reply: `${OK}Transfer-Encoding: chunked\r\n\r\n9\r\ngood`,
    end: true,
    codes: ["network"],
  },
  {
    what: "chunks without their end",
    reply: `${OK}Transfer-Encoding: chunked\r\n\r\n4\r\ngood\r\n`,
    end: true,
    codes: ["network"],
  },
  {
    what: "chunks of garbage",
    reply: `${OK}Transfer-Encoding: chunked\r\n\r\nzz\r\ngood\r\n0\r\n\r\n`,
    end: true,
    codes: broken,
  },
  {
    what: "206 unasked",
    reply:
      "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-3/9\r\nContent-Length: 4\r\n\r\ngood",
    codes: ["protocol"],
    message: /206/,
  },
  {
    what: "304 unasked",
    reply: "HTTP/1.1 304 Not Modified\r\n\r\n",
    codes: ["protocol"],
    message: /304/,
  },
  {
    what: "an unknown Content-Encoding",
    reply: `${OK}Content-Encoding: zorp\r\nContent-Length: 4\r\n\r\ngood`,
    codes: ["protocol"],
    message: /unknown Content-Encoding 'zorp'/,
  },
  {
    what: "two Content-Encodings",
    reply: `${OK}Content-Encoding: identity, zorp\r\nContent-Length: 4\r\n\r\ngood`,
    codes: ["protocol"],
  },
  {
    what: "an unknown Content-Encoding, though gzip was asked for",
    reply: `${OK}Content-Encoding: zorp\r\nContent-Length: 4\r\n\r\ngood`,
    codes: ["protocol"],
    options: { headers: { "Accept-Encoding": "gzip" } },
  },
  {
    what: "gzip unasked",
    reply: bytes(
      `${OK}Content-Encoding: gzip\r\nContent-Length: ${gzipped.length}\r\n\r\n`,
      gzipped,
    ),
    codes: ["protocol"],
    message: /set the header 'Accept-Encoding: gzip'/,
  },
  {
    what: "gzip unasked and cut",
    reply: bytes(
      `${OK}Content-Encoding: gzip\r\nContent-Length: ${gzipped.length - 20}\r\n\r\n`,
      gzipped.subarray(0, -20),
    ),
    codes: broken,
  },
  {
    what: "gzip that is none",
    reply: `${OK}Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\ngood`,
    codes: broken,
    options: { headers: { "Accept-Encoding": "gzip" } },
  },
  {
    what: "a length above maxBytes",
    reply: `${OK}Content-Length: 1001\r\n\r\ngood`,
    codes: ["too-large"],
    message: /more than 1000 bytes; raise 'maxBytes'/,
  },
  {
    what: "chunks above maxBytes",
    reply: `${OK}Transfer-Encoding: chunked\r\n\r\n3e9\r\n${"a".repeat(1001)}\r\n0\r\n\r\n`,
    codes: ["too-large"],
  },
  {
    what: "a body until the end of the connection above maxBytes",
    reply: `${OK}Connection: close\r\n\r\n${"a".repeat(1001)}`,
    end: true,
    codes: ["too-large"],
  },
  {
    what: "a gzip bomb",
    reply: (() => {
      const bomb = gzipSync(Buffer.alloc(1 << 20));
      return bytes(`${OK}Content-Encoding: gzip\r\nContent-Length: ${bomb.length}\r\n\r\n`, bomb);
    })(),
    codes: ["too-large"],
    options: { headers: { "Accept-Encoding": "gzip" } },
  },
  { what: "no answer", reply: () => {}, codes: ["timeout"], options: { timeout: 50 } },
  {
    what: "a body that stops",
    reply: `${OK}Content-Length: 10\r\n\r\ngood`,
    codes: ["timeout"],
    options: { timeout: 50 },
  },
];
