/**
 * A copy of a client of Azure that hands over the bytes of a listing instead of parsing them: its own parser takes a
 * hundred times as long as fetching the page.
 *
 * @module
 */
import { isNodeReadable, readNodeStream } from "./node_stream.ts";

/** A client, and what its last listing brought. */
export interface AzureCapture<C> {
  readonly client: C;
  /** The bytes of the last answer, once; nothing where the client could only parse it itself. */
  take(): Uint8Array | undefined;
}

// The parts of the client that are looked at. None is public: whatever is missing or of another shape, the
// client is used as it is.
interface Inner {
  readonly containerContext?: { readonly client?: ServiceClient };
}
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
  bodyAsText?: string | null | undefined;
  readableStreamBody?: unknown;
  blobBody?: Promise<Blob> | undefined;
}

/** What the client's own parser is given instead: a listing of nothing. */
const NOTHING = '<?xml version="1.0" encoding="utf-8"?>' +
  '<EnumerationResults ServiceEndpoint="" ContainerName=""><Blobs /><NextMarker /></EnumerationResults>';

/** A copy for one listing, whose pages must be asked for one after the other. The client itself is not changed. */
export function capturing<C extends object>(client: C): AzureCapture<C> {
  let captured: Uint8Array | undefined;
  const copy = withPolicy(client, {
    name: "koprsListingPolicy",
    async sendRequest(request, next) {
      const before = request.streamResponseStatusCodes;
      request.streamResponseStatusCodes = new Set([200]);
      try {
        const response = await next(request);
        if (response.status === 200) {
          captured = await bodyOf(response);
          if (captured !== undefined) {
            response.readableStreamBody = response.blobBody = undefined;
            response.bodyAsText = NOTHING;
          }
        }
        return response;
      } finally {
        // The parser looks here whether there is a body to parse.
        request.streamResponseStatusCodes = before;
      }
    },
  });
  return {
    client: copy ?? client,
    take() {
      const bytes = captured;
      captured = undefined;
      return bytes;
    },
  };
}

function withPolicy<C extends object>(client: C, policy: Policy): C | undefined {
  const context = (client as Inner).containerContext;
  const service = context?.client;
  const pipeline = service?.pipeline;
  if (
    context === undefined || service === undefined || pipeline === undefined ||
    typeof pipeline.clone !== "function" || typeof pipeline.addPolicy !== "function"
  ) return undefined;
  const cloned = pipeline.clone();
  // Closest to the wire, within the retries: a body that breaks is an attempt that failed.
  cloned.addPolicy?.(policy, { afterPhase: "Retry" });
  const ownService = Object.create(service, { pipeline: { value: cloned } });
  const ownContext = Object.create(context, { client: { value: ownService } });
  return Object.create(client, { containerContext: { value: ownContext } });
}

async function bodyOf(response: Response): Promise<Uint8Array | undefined> {
  const { readableStreamBody, blobBody, bodyAsText } = response;
  if (isNodeReadable(readableStreamBody)) return await readNodeStream(readableStreamBody);
  if (blobBody !== undefined) return new Uint8Array(await (await blobBody).arrayBuffer());
  return typeof bodyAsText === "string" ? new TextEncoder().encode(bodyAsText) : undefined;
}
