/** The options of a poller of a collection, and their checks. */
import { checkItemValues, type ItemValues } from "../_diff/item_values.ts";
import type { PollOptions } from "../_diff/source.ts";
import type { StandardSchemaV1 } from "../_diff/standard_schema.ts";
import { checkName, checkShare } from "../_errors/checks.ts";
import type { SinceOptions } from "./since.ts";

/** What `list` gives: the items page by page, or all of them as one array. */
export type ItemList<T> = AsyncIterable<readonly T[]> | readonly T[] | Promise<readonly T[]>;

/**
 * How to list a collection, and how to tell its items apart.
 *
 * `Raw` is the type of the items that `list` gives; `T` is their type after `schema` or `parse`, if one is set.
 */
export interface CollectionPollerOptions<Raw, T = Raw> {
  /** Names the source in logs, spans and checkpoints. Must not hold a secret. */
  name: string;
  /**
   * Gives the items in any order: page by page, or all of them as one array. It must throw if a page cannot be
   * read: items that are missing from a listing count as removed. {@linkcode jsonPages} makes one for a JSON API.
   */
  list: (options: PollOptions) => ItemList<Raw>;
  /**
   * Validates each item, and gives it its type: a schema of zod, valibot, arktype or any other library that follows
   * Standard Schema. If it rejects an item, the poll fails with code `invalid`, and the known items stay.
   */
  schema?: StandardSchemaV1<unknown, T>;
  /**
   * Converts each item, instead of `schema`. If it throws or rejects, the poll fails with code `invalid`, and the
   * known items stay.
   */
  parse?: (item: Raw) => T | PromiseLike<T>;
  /** Gives the key of an item. Of two items with the same key the last counts. */
  key: (item: T) => string;
  /**
   * Gives a text that changes whenever the item does, such as a revision.
   *
   * @default {JSON.stringify}
   */
  version?: (item: T) => string;
  /**
   * What is kept of an item between polls, in memory and in a checkpoint: its whole JSON, or only its key and
   * version. With `"version"`, for which `version` and `removed` are needed:
   *
   * - an `added` and a `modified` hold the item itself, as `list` gave it; items that did not change are
   *   dropped while they are listed,
   * - a `modified` has no `previous`,
   * - a `removed` holds what the option `removed` makes of the key and the version.
   *
   * @default {"json"}
   */
  remember?: "json" | "version";
  /**
   * Makes the item of a `removed` event from what is remembered of it, with `remember: "version"`. If it
   * throws, the poll fails with code `invalid`.
   */
  removed?: (key: string, version: string) => T;
  /**
   * From 0 to 1: a poll that would remove a larger share of the items fails with code `removal-guard`.
   *
   * @default {1} no guard
   */
  maxRemoved?: number;
  /**
   * For an API that can say what changed since a time or a token: polls ask only for the changes, and list
   * everything only once every `since.sweep` milliseconds.
   *
   * @default {undefined} every poll lists everything
   */
  since?: SinceOptions<T>;
}

/**
 * @throws {TypeError} If an option cannot be used.
 * @throws {RangeError} If a number is out of range.
 */
export function checkOptions<Raw, T>(options: CollectionPollerOptions<Raw, T>): void {
  const { name, list, key, version, removed, maxRemoved = 1, remember = "json" } = options;
  const { schema, parse } = options;
  checkName("poll", name);
  for (const [option, callback] of Object.entries({ list, key, version })) {
    if (typeof callback !== "function" && (option !== "version" || callback !== undefined)) {
      throw new TypeError(`Cannot poll '${name}' as '${option}' must be a function`);
    }
  }
  if (remember !== "json" && remember !== "version") {
    throw new TypeError(`Cannot poll '${name}' as 'remember' must be "json" or "version"`);
  }
  const brief = remember === "version";
  if (brief && (version === undefined || typeof removed !== "function")) {
    throw new TypeError(
      `Cannot poll '${name}' as 'remember: "version"' needs the functions 'version' and 'removed'`,
    );
  }
  if (!brief && removed !== undefined) {
    throw new TypeError(`Cannot poll '${name}' as 'removed' is for 'remember: "version"'`);
  }
  checkItemValues({ schema, parse: parse as ItemValues<T>["parse"] }, "parse");
  checkShare("poll", "maxRemoved", maxRemoved);
}
