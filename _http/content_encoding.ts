/** What `Content-Encoding` says about a body. */
import type { Faults, Place } from "./faults.ts";

/** What `fetch` decodes on every runtime. */
const DECODED = /^(x-)?gzip$|^deflate$|^br$/;

/**
 * Values that servers send though they are no content codings: an empty one, the transfer format of an S3 upload
 * (`aws-chunked`), encodings of mail, and character sets. The content is plain.
 */
const NO_CODING =
  /^(identity|none|null|binary|plain|raw|aws-chunked|7bit|8bit|us-ascii|ascii|utf-?(8|16|32)(le|be)?|iso-?8859-\d{1,2}|latin-?1|windows-125\d)?$/;

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
