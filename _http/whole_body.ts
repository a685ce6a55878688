/**
 * Whether a body has come whole: in a coding that was asked for, of the length that was announced, and within limits.
 * A body that nobody wants is discarded, to free its connection.
 */
import { gatherBody } from "../_bounds/gather_body.ts";
import type { Limits } from "../_bounds/limits.ts";
import { Gatherer } from "../_bytes/gather.ts";
import type { Faults, Place } from "./faults.ts";
import { lengthOf } from "./headers.ts";

/** A body of known length gets its array at once, up to this many bytes: a server may claim any length. */
const MOST_EXPECTED = 1024 * 1024;

/** What `fetch` decodes on every runtime. */
const DECODED = /^(x-)?gzip$|^deflate$|^br$/;

/**
 * Values that servers send though they are no content codings: an empty one, the transfer format of an S3 upload
 * (`aws-chunked`), encodings of mail, and character sets. The content is plain.
 */
const NO_CODING =
  /^(identity|none|null|binary|plain|raw|aws-chunked|7bit|8bit|us-ascii|ascii|utf-?(8|16|32)(le|be)?|iso-?8859-\d{1,2}|latin-?1|windows-125\d)?$/;

/**
 * Reads the whole body.
 *
 * @param decoded Whether the runtime may have decoded it, so that `Content-Length` is not its length.
 */
export async function readBody(
  response: Response,
  { limits, maxBytes, decoded, faults, from }: {
    readonly limits: Limits;
    readonly maxBytes: number;
    readonly decoded: boolean;
    readonly faults: Faults;
    readonly from: Place;
  },
): Promise<Uint8Array<ArrayBuffer>> {
  const length = lengthOf(response.headers);
  const tooLarge = () =>
    faults.error(
      "too-large",
      `a body of more than ${maxBytes} bytes; raise 'maxBytes' if that is right`,
      {
        from,
      },
    );
  if (length !== undefined && length > maxBytes) throw tooLarge();
  const gathered = new Gatherer(maxBytes, length && Math.min(length, MOST_EXPECTED));
  if (response.body !== null && !await gatherBody(response.body, gathered, limits)) {
    throw tooLarge();
  }
  const bytes = gathered.take();
  if (length === undefined || length === bytes.length || decoded) return bytes;
  const what = `a body of ${bytes.length} bytes where Content-Length says ${length}`;
  throw faults.error("protocol", what, { from });
}

/** Cancels a body that nobody will read: otherwise its connection would stay in use. */
export function discard(response: Response): void {
  // A locked body is being cancelled by whoever reads it; a broken one has nothing left to free.
  if (!response.body?.locked) response.body?.cancel().catch(() => {});
}

/** The codings of a body, in the order they were applied; none where it is plain. */
export function codingsOf(headers: Headers): readonly string[] {
  const field = headers.get("content-encoding");
  if (field === null) return [];
  return field.toLowerCase().split(",").map((name) => name.trim())
    .filter((name) => !NO_CODING.test(name));
}

/**
 * Throws for a body in a coding that was not asked for, or that not every runtime's `fetch` decodes.
 *
 * @param asked The `Accept-Encoding` that was sent.
 */
export function checkCoding(headers: Headers, asked: string, faults: Faults, from: Place): void {
  const codings = codingsOf(headers);
  if (codings.length === 0) return;
  const shown = headers.get("content-encoding")?.toLowerCase().slice(0, 100) ?? "";
  // Of several codings, or of one next to a value that is no coding, each runtime decodes a different part.
  if (!DECODED.test(shown)) {
    throw faults.error("protocol", `a body in the unknown Content-Encoding '${shown}'`, { from });
  }
  if (asked === "identity") {
    throw faults.error(
      "protocol",
      `a body in Content-Encoding '${shown}', though none was asked for: if the server cannot ` +
        `send it plain, set the header 'Accept-Encoding: ${shown}'`,
      { from },
    );
  }
}
