/** The one error class of this package. */
import { oneLine } from "./one_line.ts";
import { redactError } from "./redact.ts";

/**
 * What kind of failure an {@linkcode ExternalError} reports.
 *
 * | code              | meaning                                                                    |
 * | ----------------- | -------------------------------------------------------------------------- |
 * | `"network"`       | no answer: DNS, connection, TLS, or a connection that broke mid-body       |
 * | `"timeout"`       | a request or a whole poll took longer than its `timeout`                   |
 * | `"status"`        | the server answered with a status that is not a success; see `status`      |
 * | `"protocol"`      | the answer breaks the protocol: a short body, a bad redirect, a broken page |
 * | `"too-large"`     | the answer is larger than `maxBytes`                                       |
 * | `"invalid"`       | a callback of yours rejected the data: `validate`, `key`, `filter` …       |
 * | `"store"`         | an object store failed: the client, the listing, a missing bucket          |
 * | `"removal-guard"` | a poll would have removed more than `maxRemoved` allows                    |
 * | `"checkpoint"`    | a checkpoint could not be read, written or trusted                         |
 * | `"handler"`       | a handler given to `handle` threw, or took longer than its `timeout`       |
 * | `"internal"`      | a source threw something that is not an `ExternalError`                    |
 */
export type ExternalErrorCode =
  | "network"
  | "timeout"
  | "status"
  | "protocol"
  | "too-large"
  | "invalid"
  | "store"
  | "removal-guard"
  | "checkpoint"
  | "handler"
  | "internal";

/** What an {@linkcode ExternalError} has besides its code and message. */
export interface ExternalErrorOptions {
  /** The name of the source that failed. */
  source?: string;
  /** The HTTP status of the answer, where there was one. */
  status?: number;
  /** How long the server asked to wait, in milliseconds from now. */
  retryAfter?: number;
  /** The key of the item that was not handled. */
  key?: string;
  /** How many times in a row handling the item has failed. */
  attempt?: number;
  /**
   * What led to this error. Only a copy is kept: name, message, code, stack and causes, with everything masked that
   * looks like a secret. Clients attach requests with all their headers to their errors.
   */
  cause?: unknown;
}

/**
 * A failure of a source, a store or a checkpoint. Misuse, such as a negative interval, is a
 * `TypeError` or a `RangeError` instead.
 *
 * @example
 * ```ts
 * import { ExternalError } from "@koprs/external/error";
 *
 * try {
 *   throw new ExternalError("timeout", "Cannot poll 'config': no answer within 30000 ms");
 * } catch (error) {
 *   if (error instanceof ExternalError && error.code === "timeout") {
 *     console.assert(error.message.includes("config"));
 *   }
 * }
 * ```
 */
export class ExternalError extends Error {
  /** Always `"ExternalError"`. */
  override readonly name: string = "ExternalError";
  /** What kind of failure this is. Stable; the message is not. */
  readonly code: ExternalErrorCode;
  /** The name of the source that failed, where one is known. */
  declare readonly source?: string;
  /** The HTTP status of the answer, where there was one. */
  declare readonly status?: number;
  /**
   * How long the server asked to wait, in milliseconds. A watch waits at least as long, but no longer than its
   * `maxBackoff`, or a day where none is set.
   */
  declare readonly retryAfter?: number;
  /** With code `handler`: the key of the item that was not handled. */
  declare readonly key?: string;
  /** With code `handler`: how many times in a row handling this item has failed, this time included: 1, 2, … */
  declare readonly attempt?: number;

  /**
   * For your own sources and stores.
   *
   * @param code What kind of failure this is.
   * @param message What failed, for which source, and what to do about it. No secrets. Control characters are
   * escaped, so that it is one line. If it has more than 2,000 characters, the middle is left out.
   * @param options What else is known.
   */
  constructor(code: ExternalErrorCode, message: string, options?: ExternalErrorOptions) {
    const { cause } = options ?? {};
    super(oneLine(message), cause === undefined ? undefined : { cause: redactError(cause) });
    this.code = code;
    if (options?.source !== undefined) this.source = options.source;
    if (options?.status !== undefined) this.status = options.status;
    if (options?.retryAfter !== undefined) this.retryAfter = options.retryAfter;
    if (options?.key !== undefined) this.key = options.key;
    if (options?.attempt !== undefined) this.attempt = options.attempt;
  }

  /**
   * What `JSON.stringify` gives for this error. Of a plain `Error` it would leave out the message.
   *
   * @returns The name, code and message, and the other fields that are set; neither the cause nor the stack.
   */
  toJSON(): Record<string, string | number> {
    const { name, code, message, source, status, retryAfter, key, attempt } = this;
    return {
      name,
      code,
      message,
      ...(source !== undefined && { source }),
      ...(status !== undefined && { status }),
      ...(retryAfter !== undefined && { retryAfter }),
      ...(key !== undefined && { key }),
      ...(attempt !== undefined && { attempt }),
    };
  }
}
