// The HTTP client by itself, and what its requests leave behind.
import assert from "node:assert/strict";
import { ExternalError } from "@koprs/external/error";
import { type Exchange, HttpClient, type Reply, type RequestOptions } from "../../_http/request.ts";
import { openStream } from "../../_http/stream.ts";

export interface ClientOptions extends RequestOptions {
  name?: string;
}

/** A client of a server's path. */
export function clientOf(
  server: { readonly origin: string },
  options: ClientOptions = {},
  path = "/",
): HttpClient {
  return new HttpClient(server.origin + path, options);
}

/** One exchange, in which only a 200 is wanted. */
export function exchange(client: HttpClient, more: Partial<Exchange> = {}): Promise<Reply> {
  return client.exchange({ signal: undefined, wants: (status) => status === 200, ...more });
}

/** The body of a 200, as a stream. */
export function stream(
  client: HttpClient,
  more: Partial<Exchange> = {},
): Promise<ReadableStream<Uint8Array>> {
  return openStream(client, { signal: undefined, wants: (status) => status === 200, ...more });
}

/** The error that something rejects with, which must be of this package. */
export async function errorOf(promise: Promise<unknown>): Promise<ExternalError> {
  try {
    await promise;
  } catch (error) {
    assert(error instanceof ExternalError, `not an ExternalError: ${error}`);
    return error;
  }
  assert.fail("it should have failed");
}
