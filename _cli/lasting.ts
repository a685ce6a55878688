/** Tells which failures will not pass by themselves. */
import type { ExternalError } from "../_errors/external_error.ts";

/**
 * Nothing there, no permission, or a request that makes no sense. Not among them: too many
 * requests, or a server that is down.
 */
const STATUSES: ReadonlySet<number> = new Set([
  400,
  401,
  403,
  404,
  405,
  407,
  410,
  414,
  501,
]);
const CODES: ReadonlySet<unknown> = new Set([
  "ENOENT",
  "ENOTDIR",
  "EACCES",
  "EPERM",
]);
const NAMES =
  /^(?:NotCapable|CredentialsProviderError|TokenProviderError|NoSuchBucket|AccessDenied|InvalidAccessKeyId|AuthorizationPermissionMismatch)$/;
/** What the clients say if they have no region or no credentials. */
const WORDS = /region is missing|could not load (?:the default )?credentials/i;

/** Whether somebody has to act before a poll can succeed. */
export function isLasting(error: ExternalError): boolean {
  if (error.code === "network" || error.code === "timeout") return false;
  if (error.status !== undefined) return STATUSES.has(error.status);
  // Bounded, as causes may form a circle.
  let cause: unknown = error;
  for (let depth = 0; depth < 8 && cause instanceof Error; depth++) {
    if (CODES.has((cause as { code?: unknown }).code)) return true;
    if (NAMES.test(cause.name) || WORDS.test(cause.message)) return true;
    cause = cause.cause;
  }
  return false;
}
