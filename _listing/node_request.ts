/**
 * Ends requests of Node's `http` for a client that cannot end them itself. Only for runtimes that have `node:http`.
 *
 * @module
 */
import { subscribe, unsubscribe } from "node:diagnostics_channel";

/** The channel on which Node, Deno and Bun announce every request as it is sent. */
const CHANNEL = "http.client.request.start";

/** What is needed of Node's `ClientRequest`. */
interface ClientRequest {
  getHeader(name: string): unknown;
  destroy(): unknown;
}

/** The requests that carry one header, such as a request and its redirects. */
export class NodeRequest {
  readonly #header: string;
  readonly #value: string;
  #request: ClientRequest | undefined;
  #ended = false;

  /** Looks for requests from now on, until `release`. */
  constructor(header: string, value: string) {
    this.#header = header;
    this.#value = value;
    subscribe(CHANNEL, this.#onStart);
  }

  readonly #onStart = (message: unknown): void => {
    const { request } = message as { request: ClientRequest };
    if (request.getHeader(this.#header) !== this.#value) return;
    this.#request = request;
    if (this.#ended) request.destroy();
  };

  /** Closes the connection of the request, and of every further one. */
  end(): void {
    this.#ended = true;
    this.#request?.destroy();
  }

  /** Looks for no further request. */
  release(): void {
    unsubscribe(CHANNEL, this.#onStart);
  }
}
