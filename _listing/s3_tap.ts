/** Takes the bytes of a listing from the middleware stack of an S3 client. */
import { Gatherer } from "../_bytes/gather.ts";
import { ExternalError } from "../_errors/external_error.ts";
import type { S3Client } from "./s3_client.ts";

/** The largest answer to one listing request. A page of the longest keys, with every character escaped, has 4 MiB. */
const MAX_PAGE_BYTES = 32 * 1024 * 1024;

/** The answer to a listing request as it came; the bytes after `length` are arbitrary. */
export interface RawAnswer {
  readonly bytes: Uint8Array;
  readonly length: number;
}

/** A copy of a client that keeps the bytes of the last listing it got. For one request at a time. */
export interface TappedClient {
  readonly client: S3Client;
  /** Call it before each request. */
  begin(): void;
  /** Whether the last request reached the copied stack at all. */
  entered: boolean;
  /** The answer, once the listing has arrived; the next one may overwrite it. Undefined if the tap did not see it. */
  answer: RawAnswer | undefined;
  /** Why there is no answer, if the tap knows. */
  error: ExternalError | undefined;
  /** The response header `Server`. */
  server: string | undefined;
}

interface HttpAnswer {
  statusCode?: unknown;
  headers?: unknown;
  body?: unknown;
}

type Handler = (args: unknown) => Promise<{ response?: HttpAnswer; output?: unknown }>;
type Middleware = (next: Handler, context: unknown) => Handler;

/** The part of a client's middleware stack that is used. */
export interface Stack {
  add(
    middleware: Middleware,
    options: {
      step: "initialize" | "build" | "deserialize";
      priority: "high" | "low";
      name: string;
    },
  ): void;
}

/** Copies a client, with a stack of its own to add to; undefined if there is no stack to copy. */
export function copyClient(client: S3Client): { client: S3Client; stack: Stack } | undefined {
  const stack = (client.middlewareStack as { clone?: () => unknown } | undefined)?.clone?.() as
    | Partial<Stack>
    | undefined;
  if (typeof stack?.add !== "function") return undefined;
  return {
    client: Object.create(client, { middlewareStack: { value: stack } }),
    stack: stack as Stack,
  };
}

/**
 * Copies the client for listing; undefined if it has no stack to copy. The SDK still handles credentials, endpoint
 * rules, signing, retries and the parsing of errors; the client is not changed.
 *
 * @param isError Whether an answer of status 200 is an error in fact, which S3 may send.
 * @param source Names the store in errors.
 */
export function tapClient(
  client: S3Client,
  isError: (bytes: Uint8Array, length: number) => boolean,
  source: string,
): TappedClient | undefined {
  const copy = copyClient(client);
  if (copy === undefined) return undefined;
  const tapped: TappedClient = {
    client: copy.client,
    begin() {
      tapped.entered = false;
      tapped.answer = tapped.error = undefined;
    },
    entered: false,
    answer: undefined,
    error: undefined,
    server: undefined,
  };
  let room: Uint8Array | undefined;
  const enter: Middleware = (next) => (args) => {
    tapped.entered = true;
    return next(args);
  };
  const tap: Middleware = (next) => async (args) => {
    tapped.answer = undefined; // a retry has another one
    const result = await next(args);
    const { response } = result;
    if (response?.statusCode !== 200) return result;
    const gathered = await gather(response.body, room);
    if (gathered === undefined) return result;
    tapped.server = serverOf(response.headers);
    if (gathered === "too large") {
      tapped.error = tooLarge(source);
    } else {
      const { length } = gathered;
      const bytes = room = gathered.room;
      if (isError(bytes, length)) {
        response.body = bytes.slice(0, length);
        response.statusCode = 503; // so that the SDK parses it as the error that it is, and tries again
        return result;
      }
      tapped.answer = { bytes, length };
    }
    response.body = EMPTY_LISTING.slice();
    return result;
  };
  copy.stack.add(enter, { step: "initialize", priority: "high", name: "koprsExternalEntry" });
  copy.stack.add(tap, { step: "deserialize", priority: "low", name: "koprsExternalListing" });
  return tapped;
}

const EMPTY_LISTING = new TextEncoder().encode("<ListBucketResult></ListBucketResult>");

function tooLarge(source: string): ExternalError {
  return new ExternalError(
    "too-large",
    `Cannot list '${source}' as a page has more than ${MAX_PAGE_BYTES} bytes: check the endpoint`,
    { source },
  );
}

function serverOf(headers: unknown): string | undefined {
  const server = (headers as Readonly<Record<string, unknown>> | undefined)?.["server"];
  return typeof server === "string" ? server : undefined;
}

/** The parts of Node's `Readable` that are used. */
interface NodeStream {
  on(event: string, listener: (value: never) => void): unknown;
  destroy(): unknown;
}

type Gathered = Gatherer | "too large";

/**
 * Reads a body to its end, whatever kind the SDK's request handler gives; undefined for an unknown kind.
 *
 * @param room The array of the previous answer, to be used again.
 */
function gather(body: unknown, room: Uint8Array | undefined): Promise<Gathered> | undefined {
  const gatherer = new Gatherer(MAX_PAGE_BYTES, room);
  const { on, destroy, getReader } = (body ?? {}) as Partial<NodeStream & ReadableStream>;
  // Always copied, as the reader of the listing modifies it.
  if (body instanceof Uint8Array) return Promise.resolve(addedTo(gatherer, body));
  if (body instanceof Blob) {
    return body.arrayBuffer().then((buffer) => addedTo(gatherer, new Uint8Array(buffer)));
  }
  if (typeof getReader === "function") return gatherWeb(body as ReadableStream, gatherer);
  if (typeof on !== "function" || typeof destroy !== "function") return undefined;
  return gatherNode(body as NodeStream, gatherer);
}

function addedTo(gatherer: Gatherer, bytes: Uint8Array): Gathered {
  return gatherer.add(bytes) ? gatherer : "too large";
}

function gatherNode(stream: NodeStream, gatherer: Gatherer): Promise<Gathered> {
  return new Promise((resolve, reject) => {
    stream.on("error", reject);
    stream.on("end", () => resolve(gatherer));
    // With this code the SDK tries again. After the end this changes nothing.
    stream.on(
      "close",
      () => reject(Object.assign(new Error("The connection was closed"), { code: "ECONNRESET" })),
    );
    stream.on("data", (chunk: Uint8Array) => {
      if (gatherer.add(chunk)) return;
      resolve("too large");
      stream.destroy();
    });
  });
}

async function gatherWeb(stream: ReadableStream, gatherer: Gatherer): Promise<Gathered> {
  const reader = (stream as ReadableStream<Uint8Array>).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return gatherer;
    if (gatherer.add(value)) continue;
    reader.cancel().catch(() => {}); // The reason is known already.
    return "too large";
  }
}
