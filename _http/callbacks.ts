/** Calls the functions among a poller's options with a resource: for its value, for its version, and to check it. */
import { orAborted } from "../_bounds/abort.ts";
import { validated } from "../_diff/standard_schema.ts";
import { kindOf } from "../_errors/kind_of.ts";
import { reasonOf } from "../_errors/redact.ts";
import { sha256 } from "../_bytes/sha256.ts";
import type { HttpPollerOptions } from "./http_options.ts";
import { findLostInteger } from "./lost_integers.ts";
import type { HttpClient, Reply } from "./request.ts";
import type { Resource } from "./resource.ts";

/** If one of them rejects a resource, that is an error with code `invalid`. */
export class Callbacks<T> {
  readonly #client: HttpClient;
  // Not `HttpPollerOptions<T>`: with callbacks that take a `T`, those of different types would not be assignable.
  readonly #options: HttpPollerOptions<unknown>;

  constructor(client: HttpClient, options: HttpPollerOptions<T>) {
    this.#client = client;
    this.#options = { ...options } as HttpPollerOptions<unknown>;
  }

  /** Whether the option `version` decides what is a change, instead of the bytes. */
  get hasVersion(): boolean {
    return this.#options.version !== undefined;
  }

  /** Sets the value of the resource, and gives a digest of its version. */
  async versionOf(resource: Resource<T>, from: Reply, signal: AbortSignal): Promise<string> {
    await this.read(resource, from, signal);
    const version: unknown = await this.#try(
      "version",
      () => this.#options.version?.(resource),
      from,
      signal,
    );
    if (typeof version === "string") return await sha256(new TextEncoder().encode(version));
    throw this.#client.error("invalid", `'version' gave ${kindOf(version)}, no string`, { from });
  }

  /** Sets the value of the resource. */
  async read(resource: Resource<T>, from: Reply, signal: AbortSignal): Promise<void> {
    const { schema, parse } = this.#options;
    const option = schema ? "schema" : "parse";
    if (!schema && !parse) return;
    resource.value = await this.#try(option, () => this.valueFor(resource), from, signal) as T;
  }

  /** What `schema` or `parse` makes of the resource, or a promise of it if that is asynchronous. */
  valueFor(resource: Resource<T>): unknown {
    const { schema, parse } = this.#options;
    if (!schema) return parse?.(resource);
    let json: unknown;
    try {
      json = resource.json();
    } catch {
      // Not the runtime's message, which quotes the body.
      throw new Error(`a body of ${resource.body.length} bytes that is not JSON`);
    }
    const lost = findLostInteger(resource.body);
    if (lost === undefined) return validated(schema, json);
    throw new Error(
      `the integer at byte ${lost} is too large for a JavaScript number, which would round it: use 'parse'`,
    );
  }

  /** Calls `validate` with the resource. */
  async check(resource: Resource<T>, from: Reply, signal: AbortSignal): Promise<void> {
    await this.#try("validate", () => this.#options.validate?.(resource), from, signal);
  }

  async #try(
    option: string,
    call: () => unknown,
    from: Reply,
    signal: AbortSignal,
  ): Promise<unknown> {
    try {
      return await orAborted(Promise.resolve(call()), signal);
    } catch (thrown) {
      if (signal.aborted) throw thrown;
      throw this.#client.error("invalid", `'${option}' rejected it: ${reasonOf(thrown)}`, {
        cause: thrown,
        from,
      });
    }
  }
}
