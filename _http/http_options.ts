/** The options of a poller of one URL, and their checks. */
import { checkSchema, type StandardSchemaV1 } from "../_diff/standard_schema.ts";
import { checkCount, checkFunction, checkName } from "../_errors/checks.ts";
import type { CadenceOptions } from "./cadence.ts";
import type { RequestOptions } from "./options.ts";
import type { HttpResource } from "./resource.ts";

/** How to poll a URL. */
export interface HttpPollerOptions<T = undefined> extends RequestOptions, CadenceOptions {
  /**
   * Names the source in logs, spans and checkpoints. Must not hold a secret.
   * The default shows the path: give a name if the path holds a secret, as in web hooks. Errors then hide the path.
   *
   * @default {url} without user info, the values of secret query parameters masked
   */
  name?: string;
  /**
   * Validates the JSON of the content, and makes {@linkcode HttpResource.value} from it: a schema of zod, valibot,
   * arktype or any other library that follows Standard Schema. If it rejects the content, or the body is not JSON,
   * the poll fails with code `invalid`, and the content seen before stays.
   */
  schema?: StandardSchemaV1<unknown, T>;
  /**
   * Makes {@linkcode HttpResource.value} from the content, instead of `schema`. If it throws or rejects, the poll
   * fails with code `invalid`, and the content seen before stays.
   */
  parse?: (resource: Omit<HttpResource, "value">) => T | Promise<T>;
  /**
   * Gives a text that changes whenever the resource does, such as a revision in its content. Content of the same
   * version is no event.
   *
   * @default {resource.body} every byte counts
   */
  version?: (resource: HttpResource<T>) => string;
  /**
   * What a checkpoint keeps for a restart: a digest of the content, or its body as well. With `"body"`,
   *
   * - a `modified` has its `previous`,
   * - {@linkcode HttpPoller.current} is known after a restart, even while the server is down. The checkpoint then
   *   holds the body in plain form: mind who may read it.
   *
   * @default {"digest"}
   */
  remember?: "digest" | "body";
  /**
   * How many answers of 404 or 410 in a row make a `removed`, for servers that give one now and then by mistake. A
   * failed poll between them neither counts nor starts the count again.
   *
   * @default {1}
   */
  goneAfter?: number;
  /**
   * Checks new content, after `schema` or `parse` and before it is reported. If it throws or rejects, the poll
   * fails with code `invalid`, and the content seen before stays.
   */
  validate?: (resource: HttpResource<T>) => unknown;
}

/**
 * @throws {TypeError} If an option cannot be used.
 * @throws {RangeError} If a number is out of range.
 */
export function checkOptions<T>(options: HttpPollerOptions<T>): void {
  const { schema, parse, version, validate, name, remember = "digest", goneAfter = 1 } = options;
  for (const [option, value] of Object.entries({ parse, version, validate })) {
    checkFunction("poll", option, value);
  }
  checkSchema(schema);
  if (schema && parse) {
    throw new TypeError("Cannot poll as only one of 'schema' and 'parse' may be set");
  }
  if (remember !== "digest" && remember !== "body") {
    throw new TypeError(`Cannot poll as 'remember' must be "digest" or "body"`);
  }
  checkCount("poll", "goneAfter", goneAfter);
  if (name !== undefined) checkName("poll", name);
}
