/** Applies a collection's options to an item: its key, its version, its JSON. */
import { ExternalError } from "../_errors/external_error.ts";
import { kindOf } from "../_errors/kind_of.ts";
import { reasonOf, redactError } from "../_errors/redact.ts";

/** Calls the callbacks of the options. If one fails, the error names the item. */
export class ItemReader<T> {
  readonly #name: string;
  readonly #key: (item: T) => string;
  readonly #version: ((item: T) => string) | undefined;

  constructor(
    name: string,
    key: (item: T) => string,
    version: ((item: T) => string) | undefined,
  ) {
    this.#name = name;
    this.#key = key;
    this.#version = version;
  }

  /** @param nth The number of the item in its listing, from 1. */
  keyOf(item: T, nth: number): string {
    let key: unknown;
    try {
      key = this.#key(item);
    } catch (thrown) {
      throw this.#failed("key", `item ${nth} of the listing`, thrown);
    }
    if (typeof key === "string") return key;
    throw this.error(
      "invalid",
      `'key' gave ${kindOf(key)} for item ${nth} of the listing, no string`,
    );
  }

  /** What the option `version` gives; undefined without that option. */
  versionOf(item: T, key: string): string | undefined {
    if (this.#version === undefined) return undefined;
    let version: unknown;
    try {
      version = this.#version(item);
    } catch (thrown) {
      throw this.#failed("version", `the item '${key}'`, thrown);
    }
    if (typeof version === "string") return version;
    throw this.error(
      "invalid",
      `'version' gave ${kindOf(version)} for the item '${key}', no string`,
    );
  }

  jsonOf(item: T, key: string): string {
    let json: unknown;
    try {
      json = JSON.stringify(item);
    } catch (thrown) {
      throw this.#failed("JSON.stringify", `the item '${key}'`, thrown);
    }
    if (typeof json === "string") return json;
    throw this.error("invalid", `the item '${key}' is ${kindOf(item)}, which has no JSON`);
  }

  error(code: "invalid" | "protocol", what: string, thrown?: unknown): ExternalError {
    return new ExternalError(code, `Cannot poll '${this.#name}': ${what}`, {
      source: this.#name,
      ...(thrown !== undefined && { cause: redactError(thrown) }),
    });
  }

  #failed(option: string, what: string, thrown: unknown): ExternalError {
    return this.error("invalid", `'${option}' failed for ${what}: ${reasonOf(thrown)}`, thrown);
  }
}
