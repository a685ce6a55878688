/**
 * A copy of an Azure client that limits the size of the answers that it reads, and hands over the bytes of a
 * listing instead of parsing them: the client's own parser takes a hundred times as long as fetching the page.
 *
 * @module
 */
import { MAX_PAGE_BYTES } from "../_bounds/page_guard.ts";
import { isNodeReadable, readNodeStream } from "./node_stream.ts";

/** A copy of a client, and the listings that it receives. */
export interface AzureTap<C> {
  readonly client: C;
  /**
   * The bytes of the last listing, given only once; "too large"; or undefined if only the client itself could parse
   * it. The next listing overwrites the bytes.
   */
  take(): Uint8Array | "too large" | undefined;
}

// The parts of the client that are used. None is public: if one is missing or has another shape, the client is used
// as it is.
interface ServiceClient {
  readonly pipeline?: Pipeline;
}
interface Pipeline {
  clone?(): Pipeline;
  addPolicy?(policy: Policy, options: { afterPhase: string }): void;
}
interface Policy {
  readonly name: string;
  sendRequest(request: Request, next: (request: Request) => Promise<Response>): Promise<Response>;
}
interface Request {
  streamResponseStatusCodes?: Set<number> | undefined;
}
interface Response {
  readonly status: number;
  readonly headers?: { set?(name: string, value: string): void };
  bodyAsText?: string | null | undefined;
  readableStreamBody?: unknown;
  blobBody?: Promise<Blob> | undefined;
}

/** Tells the client to give the answer as a stream, whatever its status. */
const ANY_STATUS: ReadonlySet<number> = new Set([Number.POSITIVE_INFINITY]);

/** An answer that is no listing and no blob is an error or empty: a few hundred bytes. */
const MAX_TEXT_BYTES = 64 * 1024;

/** The empty listing that the client's own parser gets instead. */
const NOTHING = '<?xml version="1.0" encoding="utf-8"?>' +
  '<EnumerationResults ServiceEndpoint="" ContainerName=""><Blobs /><NextMarker /></EnumerationResults>';

/**
 * Copies a client, for requests that are made one after the other. The client itself is not changed.
 *
 * @param part The property through which the client makes such requests.
 * @param lists Whether the requests are for listings.
 * @param onFailure Called for each try that failed.
 */
export function tapAzure<C extends object>(
  client: C,
  part: string,
  lists: boolean,
  onFailure: (failure: unknown) => void,
): AzureTap<C> {
  let taken: Uint8Array | "too large" | undefined;
  // Reused for each page: whoever asks for the next page is done with this one.
  let room: Uint8Array | undefined;
  const copy = withPolicy(client, part, {
    name: "koprsExternalPolicy",
    async sendRequest(request, next) {
      const streamed = request.streamResponseStatusCodes;
      request.streamResponseStatusCodes = ANY_STATUS as Set<number>;
      try {
        const response = await next(request);
        const { status, headers } = response;
        if (lists && status === 200) {
          taken = await bodyOf(response, room);
          if (taken instanceof Uint8Array) room = new Uint8Array(taken.buffer);
          if (taken !== undefined) {
            setText(response, NOTHING);
            // The client parses no other type.
            headers?.set?.("content-type", "application/xml");
          }
        } else if (streamed?.has(status) !== true) {
          await readText(response);
        }
        if (status >= 400) {
          const failure = new Error(`the server answered ${status}`);
          onFailure(Object.assign(failure, { statusCode: status, response: { headers } }));
        }
        return response;
      } catch (thrown) {
        onFailure(thrown);
        throw thrown;
      } finally {
        // The client's parser looks here to see whether there is a body to parse.
        request.streamResponseStatusCodes = streamed;
      }
    },
  });
  return {
    client: copy ?? client,
    take() {
      const last = taken;
      taken = undefined;
      return last;
    },
  };
}

function withPolicy<C extends object>(client: C, part: string, policy: Policy): C | undefined {
  const context = (client as Record<string, unknown>)[part] as
    | { readonly client?: ServiceClient }
    | undefined;
  const service = context?.client;
  const pipeline = service?.pipeline;
  if (
    context === undefined || service === undefined || pipeline === undefined ||
    typeof pipeline.clone !== "function" || typeof pipeline.addPolicy !== "function"
  ) return undefined;
  const cloned = pipeline.clone();
  // Closest to the connection, inside the retries: a body that breaks off counts as a failed try.
  cloned.addPolicy?.(policy, { afterPhase: "Retry" });
  const ownService = Object.create(service, { pipeline: { value: cloned } });
  const ownContext = Object.create(context, { client: { value: ownService } });
  return Object.create(client, { [part]: { value: ownContext } });
}

async function bodyOf(
  response: Response,
  room: Uint8Array | undefined,
): Promise<Uint8Array | "too large" | undefined> {
  const { readableStreamBody, blobBody, bodyAsText } = response;
  if (isNodeReadable(readableStreamBody)) {
    const gathered = await readNodeStream(readableStreamBody, MAX_PAGE_BYTES, room)
      .catch(asFailedTry);
    return gathered?.room.subarray(0, gathered.length) ?? "too large";
  }
  if (blobBody !== undefined) return new Uint8Array(await (await blobBody).arrayBuffer());
  return typeof bodyAsText === "string" ? new TextEncoder().encode(bodyAsText) : undefined;
}

/** Gives the client the text of the body, where it expects one. */
async function readText(response: Response): Promise<void> {
  const { readableStreamBody, blobBody } = response;
  if (isNodeReadable(readableStreamBody)) {
    const gathered = await readNodeStream(readableStreamBody, MAX_TEXT_BYTES).catch(asFailedTry);
    setText(response, gathered === undefined ? "" : new TextDecoder().decode(gathered.take()));
  } else if (blobBody !== undefined) {
    setText(response, await (await blobBody).text());
  }
}

function setText(response: Response, text: string): void {
  response.readableStreamBody = response.blobBody = undefined;
  response.bodyAsText = text;
}

/** Throws the error in the shape on which the client tries again. */
function asFailedTry(thrown: unknown): never {
  const { message } = thrown as Error;
  const error = new Error(message, { cause: thrown });
  throw Object.assign(error, { name: "RestError", code: "ECONNRESET" });
}
