/** The S3 client as this package needs it, and the way to a listing's bytes through its middleware stack. */
import { withRoom } from "../_bytes/bytes.ts";
import { ExternalError } from "../_errors/external_error.ts";

/** The largest answer to one listing request: a page of the longest keys, all escaped, has 4 MiB. */
const MAX_PAGE_BYTES = 32 * 1024 * 1024;

/** What a listing request takes. */
export interface S3ListInput {
  /** The bucket. */
  Bucket: string;
  /** What keys begin with. */
  Prefix?: string;
  /** The key behind which to begin. */
  StartAfter?: string;
  /** Where to go on. */
  ContinuationToken?: string;
  /** Objects at most. */
  MaxKeys?: number;
  /** How keys are written in the answer. */
  EncodingType?: "url";
  /** Who pays. */
  RequestPayer?: "requester";
  /** The account that must own the bucket. */
  ExpectedBucketOwner?: string;
}

/** What the SDK makes of a listing. */
export interface S3ListOutput {
  /** The objects. */
  Contents?:
    | readonly {
      Key?: string | undefined;
      Size?: number | undefined;
      ETag?: string | undefined;
      LastModified?: Date | undefined;
    }[]
    | undefined;
  /** Whether more follow. */
  IsTruncated?: boolean | undefined;
  /** Where they do. */
  NextContinuationToken?: string | undefined;
  /** How the keys are written. */
  EncodingType?: string | undefined;
}

/** What reading an object takes. */
export interface S3GetInput {
  /** The bucket. */
  Bucket: string;
  /** The key. */
  Key: string;
  /** The ETag it must have. */
  IfMatch?: string;
  /** Who pays. */
  RequestPayer?: "requester";
  /** The account that must own the bucket. */
  ExpectedBucketOwner?: string;
}

/** An object being read. */
export interface S3GetOutput {
  /** The content. */
  Body?: { transformToWebStream(): ReadableStream } | undefined;
}

/** What writing an object takes. */
export interface S3PutInput {
  /** The bucket. */
  Bucket: string;
  /** The key. */
  Key: string;
  /** The content. */
  Body: Uint8Array;
  /** The ETag it must have. */
  IfMatch?: string;
  /** The ETag it must not have; `*` for any. */
  IfNoneMatch?: string;
  /** Who pays. */
  RequestPayer?: "requester";
  /** The account that must own the bucket. */
  ExpectedBucketOwner?: string;
}

/** What is needed of the class `S3` of `@aws-sdk/client-s3`, version 3. */
export interface S3Client {
  /** Lists a page of a bucket. */
  listObjectsV2(input: S3ListInput, options: { abortSignal: AbortSignal }): Promise<S3ListOutput>;
  /** Reads an object. */
  getObject(input: S3GetInput, options: { abortSignal: AbortSignal }): Promise<S3GetOutput>;
  /** Writes an object. */
  putObject(
    input: S3PutInput,
    options: { abortSignal: AbortSignal },
  ): Promise<{ ETag?: string | undefined }>;
  /** Where listings are read before the SDK parses them. A client without one works, slower. */
  readonly middlewareStack?: unknown;
}

/** The answer to a listing request as it came; the array is longer by at least one byte. */
export interface RawAnswer {
  readonly bytes: Uint8Array;
  readonly length: number;
}

/** A copy of a client that keeps the bytes of the last listing it got. For one request at a time. */
export interface TappedClient {
  readonly client: S3Client;
  /** Whether the SDK used the copied stack at all. */
  reached: boolean;
  /** The answer, once the listing is there; the next one may take its room. Undefined if it went another way. */
  answer: RawAnswer | undefined;
  /** Why there is no answer, if the tap knows. */
  error: ExternalError | undefined;
}

interface HttpAnswer {
  statusCode?: unknown;
  body?: unknown;
}

type Handler = (args: unknown) => Promise<{ response?: HttpAnswer }>;

interface Stack {
  add(
    middleware: (next: Handler) => Handler,
    options: { step: "deserialize"; priority: "low"; name: string },
  ): void;
}

/**
 * A copy of the client for listing, or undefined if it has no stack to copy. Credentials,
 * endpoint rules, signing, retries and the parsing of errors stay the SDK's; the client is not changed.
 *
 * @param isError Whether an answer of status 200 is an error all the same, which S3 may send.
 * @param source Names the store in errors.
 */
export function tapClient(
  client: S3Client,
  isError: (bytes: Uint8Array, length: number) => boolean,
  source: string,
): TappedClient | undefined {
  const stack = (client.middlewareStack as { clone?: () => unknown } | undefined)?.clone?.() as
    | Partial<Stack>
    | undefined;
  if (typeof stack?.add !== "function") return undefined;
  const tapped: TappedClient = {
    client: Object.create(client, { middlewareStack: { value: stack } }),
    reached: false,
    answer: undefined,
    error: undefined,
  };
  let room: Uint8Array | undefined;
  const tap = (next: Handler): Handler => async (args) => {
    tapped.reached = true;
    tapped.answer = undefined; // a retry has another one
    const result = await next(args);
    const { response } = result;
    if (response?.statusCode !== 200) return result;
    const chunks = await readChunks(response.body);
    if (chunks === undefined) return result;
    if (chunks === "too large") {
      tapped.error = tooLarge(source);
    } else {
      const answer = join(chunks, room);
      room = answer.bytes;
      if (isError(answer.bytes, answer.length)) {
        response.body = answer.bytes.slice(0, answer.length);
        response.statusCode = 503; // so that the SDK parses it as the error that it is, and tries again
        return result;
      }
      tapped.answer = answer;
    }
    response.body = EMPTY_LISTING.slice();
    return result;
  };
  (stack as Stack).add(tap, { step: "deserialize", priority: "low", name: "koprsExternalListing" });
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

/** The parts of Node's `Readable` that count. */
interface NodeStream {
  on(event: string, listener: (value: never) => void): unknown;
  destroy(): unknown;
}

type Chunks = Uint8Array[] | "too large";

/** Reads a body to its end, of whatever kind the SDK's request handler made it; undefined for an unknown kind. */
function readChunks(body: unknown): Promise<Chunks> | undefined {
  if (body instanceof Uint8Array) return Promise.resolve([body]);
  if (body instanceof Blob) return body.arrayBuffer().then((buffer) => [new Uint8Array(buffer)]);
  const { on, destroy, getReader } = (body ?? {}) as Partial<NodeStream & ReadableStream>;
  if (typeof getReader === "function") return readWebStream(body as ReadableStream);
  if (typeof on !== "function" || typeof destroy !== "function") return undefined;
  return readNodeStream(body as NodeStream);
}

function readNodeStream(stream: NodeStream): Promise<Chunks> {
  return new Promise((resolve, reject) => {
    const chunks: Uint8Array[] = [];
    let size = 0;
    stream.on("error", reject);
    stream.on("end", () => resolve(chunks));
    // The code is one that the SDK tries again at. After the end this changes nothing.
    stream.on(
      "close",
      () => reject(Object.assign(new Error("The connection was closed"), { code: "ECONNRESET" })),
    );
    stream.on("data", (chunk: Uint8Array) => {
      chunks.push(chunk);
      size += chunk.length;
      if (size <= MAX_PAGE_BYTES) return;
      resolve("too large");
      stream.destroy();
    });
  });
}

async function readWebStream(stream: ReadableStream): Promise<Chunks> {
  const reader = (stream as ReadableStream<Uint8Array>).getReader();
  const chunks: Uint8Array[] = [];
  for (let size = 0;;) {
    const { done, value } = await reader.read();
    if (done) return chunks;
    chunks.push(value);
    size += value.length;
    if (size <= MAX_PAGE_BYTES) continue;
    reader.cancel().catch(() => {}); // The reason is known already.
    return "too large";
  }
}

/** Always a copy: it is going to be written to. */
function join(chunks: readonly Uint8Array[], room: Uint8Array = new Uint8Array()): RawAnswer {
  const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  const bytes = withRoom(room, 0, length + 1);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return { bytes, length };
}
