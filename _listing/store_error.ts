/** Turns what an object store's client threw into an error of this package. */
import { isNetworkFailure } from "../_errors/network.ts";
import { type AskedWait, askedWait } from "../_http/rate_limit.ts";
import { reasonOf, redactError } from "../_errors/redact.ts";
import { ExternalError } from "../_errors/external_error.ts";

/**
 * Wraps what the client of a store threw. The SDKs agree on little: the status of the answer is looked
 * for where the clients of S3, Google Cloud Storage and Azure keep it.
 *
 * @param doing What failed, such as "list 's3://bucket'".
 * @param hint What to do about it, if the store knows.
 */
export function storeError(
  doing: string,
  source: string,
  thrown: unknown,
  hint = "",
): ExternalError {
  if (thrown instanceof ExternalError) return thrown;
  const status = statusOf(thrown);
  const { retryAfter, rateLimit } = askedWaitOf(thrown);
  const name = thrown instanceof Error && thrown.name !== "Error" ? `${thrown.name}: ` : "";
  const told = [`${name}${reasonOf(thrown)}`, rateLimit ?? hint].filter((text) => text !== "");
  const message = `Cannot ${doing}: ${told.join(": ")}`;
  // Without an answer nothing is known about the store.
  const code = status === undefined && isNetworkFailure(thrown) ? "network" : "store";
  return new ExternalError(code, message, {
    source,
    ...(status !== undefined && { status }),
    ...(retryAfter !== undefined && { retryAfter }),
    cause: redactError(thrown),
  });
}

/** The HTTP status that a client's error carries, if any. */
export function statusOf(thrown: unknown): number | undefined {
  const { $metadata, statusCode, code, status } = (thrown ?? {}) as {
    $metadata?: { httpStatusCode?: unknown };
    statusCode?: unknown;
    code?: unknown;
    status?: unknown;
  };
  return [$metadata?.httpStatusCode, statusCode, code, status].find((value) =>
    typeof value === "number" && value >= 100 && value <= 599
  ) as number | undefined;
}

/** How long the server asks to wait, if the answer on a client's error says so. */
export function askedWaitOf(thrown: unknown): AskedWait {
  const { $response, response } = (thrown ?? {}) as {
    $response?: { headers?: unknown };
    response?: { headers?: unknown };
  };
  const headers = $response?.headers ?? response?.headers;
  const status = statusOf(thrown);
  return headers === undefined && status !== 429
    ? {}
    : askedWait(status, (name) => fieldOf(headers, name));
}

function fieldOf(headers: unknown, name: string): string | undefined {
  const value = typeof (headers as { get?: unknown } | undefined)?.get === "function"
    ? (headers as { get(name: string): unknown }).get(name)
    : (headers as Record<string, unknown> | undefined)?.[name];
  return typeof value === "string" ? value : undefined;
}
