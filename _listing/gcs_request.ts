/** One request to Google Cloud Storage, through the stream that Google's client makes of it. */
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
  /** Relative to the bucket. */
  uri: string;
  /** How often the client tries again. */
  maxRetries: number;
  /** Sent along. */
  headers: Record<string, string>;
}

/** The answer to a request, its status a success. */
export interface GcsAnswer {
  readonly stream: NodeReadable;
  readonly headers: Readonly<Record<string, unknown>>;
  /** Gives the answer up and closes its connection. */
  readonly drop: () => void;
}

/** The header that names a request to the service, and by which it is found again here. */
export const REQUEST_ID = "x-goog-gcs-idempotency-token";

/** An error is a few hundred bytes; what is longer is none that would help. */
const MAX_ERROR_BYTES = 64 * 1024;

/**
 * Makes a request and waits for an answer of status 200. Never tries again: on the first answer that the client itself would
 * try again, its streams end the process with an error that nobody can catch.
 *
 * @param send What the client makes of it.
 * @param signal Ends it, and closes its connection. Not aborted yet.
 */
export async function requestGcs(
  send: (options: Omit<GcsRequestOptions, "uri">) => unknown,
  signal: AbortSignal,
): Promise<GcsAnswer> {
  const id = crypto.randomUUID();
  // The client has no way to end a request before it answers, nor on Bun after that.
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
    // Not before: until it answers, the client has nothing to abort and breaks if told to.
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

/** What an error says: JSON, or text where it is that of a download. */
function messageIn(text: string): string {
  try {
    return String(JSON.parse(text).error.message);
  } catch {
    return text.slice(0, 300).trim();
  }
}
