/** When requests are conditional, and which 304 answers can be believed. */
import { ExternalError } from "../_errors/external_error.ts";
import type { PollOptions } from "../_diff/source.ts";
import type { Exchange, HttpClient, Reply } from "./request.ts";
import { isOther, isUsable, type Validators } from "./validators.ts";

/** A request for a resource, of which an earlier version may be known. */
export interface Question {
  readonly client: HttpClient;
  readonly poll: PollOptions;
  /** The validators of the version that is known. */
  readonly seen: Validators | undefined;
  /** Default: the client's own URL. */
  readonly url?: URL | undefined;
  /** If false, no credentials are sent, whatever the URL. */
  readonly trusted?: boolean | undefined;
}

/** The most polls without conditions after one that failed with them. */
const LONGEST_PAUSE = 256;

/**
 * Decides whether the requests of a source carry conditions. Some servers fail on every request with conditions. So
 * after such a failure the next poll carries none. Each further failure with conditions doubles the number of polls
 * without them, so that such failures become rare. If a poll without conditions fails too, the conditions were not
 * the cause, and the next poll carries them again.
 */
export class Conditions {
  #strikes = 0;
  #pause = 0;
  #failed = false;

  /**
   * Asks for a resource, with conditions if validators are known and conditions are not paused.
   *
   * @returns The answer that counts: 200, 203, 204, 404, 410, or a 304 that can be believed.
   * @throws {ExternalError} For any other answer.
   */
  async ask({ client, poll, seen, url, trusted }: Question): Promise<Reply> {
    const known = this.#pause > 0 ? undefined : seen;
    let asked = false;
    const exchange: Exchange = {
      signal: poll.signal,
      onRequest: poll.onRequest,
      wants: isContent,
      url,
      trusted,
      headersFor: (target) => {
        const conditions = conditionsFor(target, known);
        asked = conditions !== undefined;
        return conditions;
      },
    };
    let reply: Reply;
    try {
      reply = await client.exchange(exchange);
      checkStatus(client, reply);
    } catch (thrown) {
      this.#failed ||= asked && !isRefusal(thrown);
      throw thrown;
    }
    if (reply.status === 304 && !asked) throw unasked(client, reply);
    if (reply.status === 304 && isOther(reply.headers.get("etag"), known?.etag)) {
      // A faulty cache: its 304 is about another version than the one asked about. Asks again, without conditions.
      reply = await client.exchange({ ...exchange, headersFor: undefined });
      checkStatus(client, reply);
      if (reply.status === 304) throw unasked(client, reply);
    }
    const wait = client.cadenceOf(reply);
    if (wait !== undefined) poll.onCadence?.(wait);
    return reply;
  }

  /** Call it at the end of every poll, which may have asked for many resources, with whether the poll succeeded. */
  ended(good: boolean): void {
    if (this.#failed) this.#pause = Math.min(2 ** this.#strikes++, LONGEST_PAUSE);
    else if (this.#pause > 0) this.#pause = good ? this.#pause - 1 : 0;
    else if (good) this.#strikes = 0;
    this.#failed = false;
  }
}

/** Whether the error is about credentials or a rate limit, which have nothing to do with conditions. */
function isRefusal(thrown: unknown): boolean {
  if (!(thrown instanceof ExternalError)) return false;
  const { status, retryAfter } = thrown;
  return status === 401 || status === 429 || (status === 403 && retryAfter !== undefined);
}

/** Throws unless the answer has the content, or says that it is unchanged or gone. */
function checkStatus(client: HttpClient, reply: Reply): void {
  const { status, headers } = reply;
  if (isContent(status) || status === 304 || status === 404 || status === 410) return;
  if (status !== 206) throw client.statusError(status, headers, reply);
  throw client.error("protocol", "a part of the content, 206, though all was asked for", {
    status,
    from: reply,
  });
}

function unasked(client: HttpClient, reply: Reply): Error {
  return client.error("protocol", "the server answered 304 to a request without conditions", {
    status: 304,
    from: reply,
  });
}

function isContent(status: number): boolean {
  return status === 200 || status === 203 || status === 204;
}

/**
 * The conditions of a request. Validators go back only to the URL that gave them: another one may use the same ETag
 * for other bytes.
 */
function conditionsFor(
  url: string,
  seen: Validators | undefined,
): Record<string, string> | undefined {
  if (seen?.url !== url || !isUsable(seen)) return undefined;
  const { etag, lastModified } = seen;
  return {
    ...(etag !== undefined && { "if-none-match": etag }),
    ...(lastModified !== undefined && { "if-modified-since": lastModified }),
  };
}
