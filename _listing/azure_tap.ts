/**
 * A copy of a client of Azure that reads what the client itself would read without a bound, and hands over the bytes of a listing
 * instead of parsing them: the client's parser takes a hundred times as long as fetching the page.
 *
 * @module
 */
import { MAX_PAGE_BYTES } from "../_bounds/page_guard.ts";
import { isNodeReadable, readNodeStream } from "./node_stream.ts";

/** What becomes of the answers to a client's requests. */
export interface AzureTap<C> {
  readonly client: C;
  /**
   * The bytes of the last listing, once; "too large"; or nothing where the client could only parse it itself. The next listing
   * is written over them.
   */
  take(): Uint8Array | "too large" | undefined;
}

// The parts of the client that are looked at. None is public: whatever is missing or of another shape, the
// client is used as it is.
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

/** How the client says that an answer of any status is to be had as a stream. */
const ANY_STATUS: ReadonlySet<number> = new Set([Number.POSITIVE_INFINITY]);

/** An answer without content is an error, or nothing: a few hundred bytes. */
const MAX_TEXT_BYTES = 64 * 1024;

/** What the client's own parser is given instead: a listing of nothing. */
const NOTHING = '<?xml version="1.0" encoding="utf-8"?>' +
  '<EnumerationResults ServiceEndpoint="" ContainerName=""><Blobs /><NextMarker /></EnumerationResults>';

/**
 * A copy for requests that are made one after the other. The client itself is not changed.
 *
 * @param part The property by which the client makes such requests.
 * @param lists Whether they are for listings.
 * @param onFailure Is told of each try that failed.
 */
export function tapAzure<C extends object>(
  client: C,
  part: string,
  lists: boolean,
  onFailure: (failure: unknown) => void,
): AzureTap<C> {
  let taken: Uint8Array | "too large" | undefined;
  // Filled anew for each page: whoever asks for the next one is done with it.
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
            // Of another type it would not be parsed.
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
        // The parser looks here whether there is a body to parse.
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
  // Closest to the wire, within the retries: a body that breaks is a try that failed.
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

/** Lets the client have a text where it awaits one. */
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

/** In the shape at which the client tries again. */
function asFailedTry(thrown: unknown): never {
  const { message } = thrown as Error;
  const error = new Error(message, { cause: thrown });
  throw Object.assign(error, { name: "RestError", code: "ECONNRESET" });
}
