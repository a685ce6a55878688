/** What may be set of a poller of one URL, and how it is checked. */
import { checkSchema, type StandardSchemaV1 } from "../_diff/standard_schema.ts";
import { checkCount, checkFunction, checkName } from "../_errors/checks.ts";
import type { CadenceOptions } from "./cadence.ts";
import type { RequestOptions } from "./options.ts";
import type { HttpResource } from "./resource.ts";

/** How to poll a URL. */
export interface HttpPollerOptions<T = undefined> extends RequestOptions, CadenceOptions {
  /**
   * Names the source in logs, spans and checkpoints. Must not hold a secret.
   * The default shows the path: give a name where that holds a secret, as with web hooks. Errors hide the path then.
   *
   * @default {url} without user info, the values of secret query parameters masked
   */
  name?: string;
  /**
   * Takes the JSON of the content and gives {@linkcode HttpResource.value}: a schema of zod, valibot, arktype or any other
   * library that follows Standard Schema. What it does not take, and a body that is not JSON, fails the poll with code
   * `invalid`, and the content seen before stays.
   */
  schema?: StandardSchemaV1<unknown, T>;
  /**
   * Makes {@linkcode HttpResource.value} of the content, in place of `schema`. If it throws or rejects, the poll fails
   * with code `invalid`, and the content seen before stays.
   */
  parse?: (resource: Omit<HttpResource, "value">) => T | Promise<T>;
  /**
   * What changes whenever the resource does, such as a revision in it. Content of the same version is no event.
   *
   * @default {resource.body} every byte counts
   */
  version?: (resource: HttpResource<T>) => string;
  /**
   * What is kept for a restart, in a checkpoint: a digest of the content, or its body as well. With `"body"`,
   *
   * - a `modified` has its `previous`,
   * - {@linkcode HttpPoller.current} is there after a restart, also while the server is down. The body then lies in the
   *   checkpoint as it is: mind who may read that.
   *
   * @default {"digest"}
   */
  remember?: "digest" | "body";
  /**
   * How many answers of 404 or 410 in a row are a `removed`: for servers that give one now and then. Polls that fail
   * between them do not count and do not begin the row anew.
   *
   * @default {1}
   */
  goneAfter?: number;
  /**
   * Looks at new content before anyone else sees it, behind `schema` and `parse`. If it throws or rejects, the poll fails with code
   * `invalid`, and the content seen before stays.
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
