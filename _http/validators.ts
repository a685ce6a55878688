/** Validators: the ETag and Last-Modified of one version of a resource, sent back as conditions. */
import { parseHttpDate } from "./http_date.ts";
import { isFieldValue } from "./headers.ts";
import type { Reply } from "./request.ts";

/** The validators of one version of a resource. */
export interface Validators {
  /** The URL that gave them. */
  readonly url: string;
  readonly etag?: string;
  readonly lastModified?: string;
  /** Whether these are certain to differ after the next change. */
  readonly settled: boolean;
}

/**
 * The validators of an answer with content.
 *
 * @param known Those of the answer before, if there was one.
 */
export function validatorsOf(reply: Reply, known: Validators | undefined): Validators {
  const etag = reply.headers.get("etag");
  const lastModified = timeOf(reply.headers);
  // An ETag that stays the same while Last-Modified changes is not made from it: some servers always send the
  // current time as Last-Modified.
  const independent = etag !== null && isSameTag(etag, known?.etag) &&
    known?.lastModified !== lastModified;
  return {
    url: reply.url,
    ...(etag !== null && isEntityTag(etag) && { etag }),
    ...(lastModified !== undefined && { lastModified }),
    settled: independent || !isFresh(reply.headers),
  };
}

/**
 * The validators after a 304: its headers update the known ones (RFC 9111, section 4.3.4). A new ETag is taken over
 * if it equals the known one by weak comparison, as when a server marks it weak for a second after a change; any
 * other one names another version.
 *
 * @param known The validators that were sent.
 */
export function renewedBy<V extends Validators>({ headers }: Reply, known: V): V {
  const etag = headers.get("etag");
  const lastModified = timeOf(headers);
  const newTag = etag !== null && etag !== known.etag && isSameTag(etag, known.etag);
  const newTime = lastModified !== undefined && lastModified !== known.lastModified;
  if (!newTag && !newTime) return known;
  return {
    ...known,
    ...(newTag && { etag }),
    ...(newTime && { lastModified, settled: known.etag !== undefined || !isFresh(headers) }),
  };
}

/** Whether the next request can be conditional with these validators. */
export function isUsable({ settled, etag, lastModified }: Validators): boolean {
  return settled && (etag !== undefined || lastModified !== undefined);
}

/** Whether a 304 names, by a strong ETag, another version than the one that was asked about. */
export function isOther(etag: string | null, known: string | undefined): boolean {
  return etag !== null && etag !== known && etag.startsWith('"') && isEntityTag(etag) &&
    !isSameTag(etag, known);
}

/** Whether a `Last-Modified` can be sent back. Only the server needs to understand it. */
export function isTime(text: string): boolean {
  return text !== "" && isFieldValue(text);
}

function timeOf(headers: Headers): string | undefined {
  const text = headers.get("last-modified");
  return text !== null && isTime(text) ? text : undefined;
}

/** Whether a text is one well-formed ETag that is not empty. Two of them, joined by a comma, are not one. */
export function isEntityTag(text: string): boolean {
  return /^(?:W\/)?"[\x21\x23-\x7e\x80-\xff]+"$/.test(text);
}

/** The weak comparison of RFC 9110: whether two ETags are the same apart from the `W/` of weak ones. */
function isSameTag(etag: string, known: string | undefined): boolean {
  return known !== undefined && etag.replace(/^W\//, "") === known.replace(/^W\//, "");
}

/**
 * Whether the resource was modified in the second in which the answer was made. It may change again within that
 * second and keep its Last-Modified, and on servers like nginx its ETag: the next request must not rely on either.
 * The same holds for any later answer of that second.
 */
function isFresh(headers: Headers): boolean {
  const modified = parseHttpDate(headers.get("last-modified"));
  const date = parseHttpDate(headers.get("date")) ?? Date.now();
  return modified !== undefined && date - modified < 1000;
}
