/** One request to Google Cloud Storage, through the stream that Google's client gives. */
import { orAborted } from "../_bounds/abort.ts";
import { NodeRequest } from "./node_request.ts";
import {
  closedEarly,
  dropNodeStream,
  isNodeReadable,
  type NodeReadable,
  readNodeStream,
} from "./node_stream.ts";

/** How a {@linkcode GcsBucket} is asked to make a request. */
export interface GcsRequestOptions {
  /** The URI, relative to the bucket. */
  uri: string;
  /** How often the client tries again. */
  maxRetries: number;
  /** Headers to add to the request. */
  headers: Record<string, string>;
}

/** A successful answer to a request. */
export interface GcsAnswer {
  readonly stream: NodeReadable;
  readonly headers: Readonly<Record<string, unknown>>;
  /** Discards the answer and closes its connection. */
  readonly drop: () => void;
}

/** The header with the id of a request, by which its connection is found. */
export const REQUEST_ID = "x-goog-gcs-idempotency-token";

/** The largest error that is read. An error has a few hundred bytes; a longer one would not help. */
const MAX_ERROR_BYTES = 64 * 1024;

/**
 * Makes a request and waits for an answer of status 200. Turns the client's own retries off: on the first answer
 * that the client would retry, its streams end the process with an error that nobody can catch.
 *
 * @param send Makes the request, and gives the client's stream.
 * @param signal Ends the request, and closes its connection. Must not be aborted yet.
 */
export async function requestGcs(
  send: (options: Omit<GcsRequestOptions, "uri">) => unknown,
  signal: AbortSignal,
): Promise<GcsAnswer> {
  const id = crypto.randomUUID();
  // The client cannot end a request before it is answered, and on Bun not after that either.
  const connection = new NodeRequest(REQUEST_ID, id);
  let stream: NodeReadable;
  try {
    stream = streamOf(send({ maxRetries: 0, headers: { [REQUEST_ID]: id } }));
  } catch (thrown) {
    connection.release();
    throw thrown;
  }
  const answering = new Promise<RawAnswer>((resolve, reject) => {
    stream.on("response", resolve);
    stream.on("error", reject);
    stream.on("close", () => reject(closedEarly()));
  });
  const drop = () => {
    connection.end();
    // Not earlier: before the answer the client has nothing to abort, and fails if asked to.
    answering.then(() => dropNodeStream(stream), () => {});
  };
  const release = () => connection.release();
  answering.then(release, release);
  signal.addEventListener("abort", drop, { once: true });
  const { statusCode, statusMessage, headers = {} } = await orAborted(answering, signal);
  const status = Number(statusCode);
  if (status === 200) return { stream, headers, drop };
  const text = await orAborted(readNodeStream(stream, MAX_ERROR_BYTES), signal);
  if (text === undefined) drop();
  const said = text === undefined ? "" : messageIn(new TextDecoder().decode(text.take()));
  const error = new Error(
    `the server answered ${
      [status, said || String(statusMessage ?? "")].filter(Boolean).join(": ")
    }`,
  );
  throw Object.assign(error, { code: status, response: { headers } });
}

interface RawAnswer {
  readonly statusCode?: unknown;
  readonly statusMessage?: unknown;
  readonly headers?: Readonly<Record<string, unknown>>;
}

function streamOf(value: unknown): NodeReadable {
  if (isNodeReadable(value)) return value;
  throw new TypeError("'requestStream' of this version of @google-cloud/storage gives no stream");
}

/** The message of an error: JSON, or plain text for a download. */
function messageIn(text: string): string {
  try {
    return String(JSON.parse(text).error.message);
  } catch {
    return text.slice(0, 300).trim();
  }
}
