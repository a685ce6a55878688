/** Conditional requests: which validators may be sent, and which 304 can be believed. */
import { parseHttpDate } from "./http_date.ts";
import type { HttpClient, Reply } from "./request.ts";
import type { PollOptions } from "../_diff/source.ts";

/** What a server said of one version of a resource. */
export interface Validators {
  /** The URL that said it. */
  readonly url: string;
  readonly etag?: string;
  readonly lastModified?: string;
  /** Whether these may be trusted to tell the next change. */
  readonly settled: boolean;
}

/**
 * The validators of an answer.
 *
 * @param known Those of the answer before, if there was one.
 */
export function validatorsOf(reply: Reply, known: Validators | undefined): Validators {
  const etag = reply.headers.get("etag");
  const lastModified = reply.headers.get("last-modified");
  // An ETag that stays while Last-Modified moves, as with servers that answer "now", is not made from it.
  const independent = known?.etag !== undefined && known.etag === etag &&
    known.lastModified !== (lastModified ?? undefined);
  return {
    url: reply.url,
    ...(etag !== null && isEntityTag(etag) && { etag }),
    ...(lastModified && { lastModified }),
    settled: independent || !isFresh(reply.headers),
  };
}

/**
 * Asks whether a resource is still what `seen` says of it.
 *
 * @param url What to ask for, if not the client's own URL.
 * @returns The answer that counts: 200, 203, 204, 404, 410, or a 304 that can be believed.
 * @throws {ExternalError} For any other answer.
 */
export async function conditionalGet(
  client: HttpClient,
  options: PollOptions,
  seen: Validators | undefined,
  url?: URL,
): Promise<Reply> {
  const { signal, onRequest } = options;
  let asked = false;
  const headersFor = (target: string) => {
    const conditions = conditionsFor(target, seen);
    asked = conditions !== undefined;
    return conditions;
  };
  const exchange = { signal, onRequest, wants: isContent, ...(url !== undefined && { url }) };
  const conditional = await client.exchange({ ...exchange, headersFor });
  checkStatus(client, conditional);
  if (conditional.status !== 304) return conditional;
  if (!asked) throw unasked(client);
  if (!isOther(conditional.headers.get("etag"), seen?.etag)) return conditional;
  // A confused cache: it answers for another version than the one asked about.
  const whole = await client.exchange(exchange);
  checkStatus(client, whole);
  if (whole.status === 304) throw unasked(client);
  return whole;
}

/** Throws unless the answer says what the resource is, or that it is as it was, or that it is gone. */
function checkStatus(client: HttpClient, { status, headers }: Reply): void {
  if (isContent(status) || status === 304 || status === 404 || status === 410) return;
  if (status !== 206) throw client.statusError(status, headers);
  throw client.error("protocol", "a part of the content, 206, though all was asked for", {
    status,
  });
}

function unasked(client: HttpClient): Error {
  return client.error("protocol", "the server answered 304 though nothing was conditional", {
    status: 304,
  });
}

/** Validators go back only to the URL that gave them: another one may use the same ETag for other bytes. */
function conditionsFor(
  url: string,
  seen: Validators | undefined,
): Record<string, string> | undefined {
  if (!seen?.settled || seen.url !== url) return undefined;
  const { etag, lastModified } = seen;
  if (etag === undefined && lastModified === undefined) return undefined;
  return {
    ...(etag !== undefined && { "if-none-match": etag }),
    ...(lastModified !== undefined && { "if-modified-since": lastModified }),
  };
}

/**
 * Whether the resource was modified within the second the answer was made in. It may change again in that
 * second and keep its Last-Modified, and with servers like nginx its ETag: the next request must not trust
 * either. Nor may the one after it if its answer is of that second still.
 */
function isFresh(headers: Headers): boolean {
  const modified = parseHttpDate(headers.get("last-modified"));
  const date = parseHttpDate(headers.get("date")) ?? Date.now();
  return modified !== undefined && date - modified < 1000;
}

/** Whether a 304 names, by a strong ETag, another version than the one that was asked about. */
function isOther(etag: string | null, known: string | undefined): boolean {
  return etag !== null && etag.startsWith('"') && isEntityTag(etag) &&
    etag !== known?.replace(/^W\//, "");
}

/** One well-formed ETag that is not empty. Two of them, joined by a comma, are not one. */
function isEntityTag(text: string): boolean {
  return /^(?:W\/)?"[\x21\x23-\x7e\x80-\xff]+"$/.test(text);
}

function isContent(status: number): boolean {
  return status === 200 || status === 203 || status === 204;
}
