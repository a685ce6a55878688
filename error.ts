/**
 * The only error class of this package. Its `code` says what kind of failure it is.
 *
 * @example
 * ```ts
 * import { ExternalError } from "@koprs/external/error";
 *
 * const error = new ExternalError("status", "Cannot poll 'config': the server answered 503", {
 *   source: "config",
 *   status: 503,
 *   retryAfter: 10_000,
 * });
 * if (error.code === "status" && error.status === 503) console.assert(error.retryAfter === 10_000);
 * ```
 *
 * @module
 */

export {
  ExternalError,
  type ExternalErrorCode,
  type ExternalErrorOptions,
} from "./_errors/external_error.ts";
