/** Tells a connection that failed from an answer that reports a failure, whichever client threw. */

// The names that Node and its fetch, Deno's node: modules, Bun, the AWS SDK and Azure's client give them.
const CODES = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "ECONNABORTED",
  "EPIPE",
  "ENOTFOUND",
  "EAI_AGAIN",
  "ETIMEDOUT",
  "EHOSTUNREACH",
  "EHOSTDOWN",
  "ENETUNREACH",
  "ENETDOWN",
  "EPROTO",
  "ERR_STREAM_PREMATURE_CLOSE",
  "ERR_SOCKET_CONNECTION_TIMEOUT",
  "UND_ERR_SOCKET",
  "UND_ERR_CONNECT_TIMEOUT",
  "UND_ERR_HEADERS_TIMEOUT",
  "UND_ERR_BODY_TIMEOUT",
  "REQUEST_SEND_ERROR",
  "ConnectionRefused",
  "ConnectionReset",
  "ConnectionClosed",
  "FailedToOpenSocket",
]);
const DEEPEST = 6;

// Messages of errors without a code: of Deno's and browsers' fetch, for a request or a body, and of Azure's client,
// for a body.
const MESSAGES =
  /^error sending request|^error reading a body from connection|\(os error \d+\)$|^Failed to fetch$|^Load failed$|^NetworkError when attempting|^Error reading response as text: aborted/;

/** Whether what was thrown, or a cause of it, reports a connection that failed, was refused, reset or cut. */
export function isNetworkFailure(thrown: unknown, depth = 0): boolean {
  if (typeof thrown !== "object" || thrown === null || depth > DEEPEST) return false;
  const { code, name, message, cause, errors } = thrown as Record<string, unknown>;
  if (CODES.has(code as string) || CODES.has(name as string)) return true;
  const clients = name === "TypeError" || code === "PARSE_ERROR";
  if (clients && [message, (cause as Partial<Error> | undefined)?.message].some(isOfNetwork)) {
    return true;
  }
  const inner = Array.isArray(errors) ? [cause, ...errors.slice(0, 1)] : [cause];
  return inner.some((error) => isNetworkFailure(error, depth + 1));
}

function isOfNetwork(message: unknown): boolean {
  return typeof message === "string" && MESSAGES.test(message);
}
