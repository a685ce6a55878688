/** A part of what is watched, which a poll may list alone. */

/**
 * A part of a source: the keys that begin with a prefix, a few single keys, or both.
 *
 * @example
 * ```ts
 * import type { ExternalPart } from "@koprs/external/watcher";
 *
 * const today: ExternalPart = { prefix: `logs/${new Date().toISOString().slice(0, 10)}/` };
 * const uploaded: ExternalPart = { keys: ["inbox/a.csv", "inbox/b.csv"] };
 * console.assert(today.keys === uploaded.prefix);
 * ```
 */
export interface ExternalPart {
  /** All keys that begin with this string. */
  readonly prefix?: string;
  /** Exactly these keys, whether they exist or not. */
  readonly keys?: readonly string[];
}

/**
 * Checks a part that a user gave.
 *
 * @param doing What the caller wants to do with the part, for the error message.
 * @throws {TypeError} If it has neither a prefix nor keys, or if one of them is not valid.
 */
export function checkPart(doing: string, part: ExternalPart): ExternalPart {
  if (typeof part !== "object" || part === null) {
    throw new TypeError(`Cannot ${doing} as a part must be an object with 'prefix' or 'keys'`);
  }
  const { prefix, keys } = part;
  if (prefix === undefined && keys === undefined) {
    throw new TypeError(`Cannot ${doing} as a part must have a 'prefix' or 'keys'`);
  }
  if (prefix !== undefined) checkPrefix(doing, "prefix", prefix);
  if (keys !== undefined && !Array.isArray(keys)) {
    throw new TypeError(`Cannot ${doing} as 'keys' must be an array of strings`);
  }
  for (const key of keys ?? []) {
    checkPrefix(doing, "keys", key);
    if (key === "") throw new TypeError(`Cannot ${doing} as 'keys' has an empty key`);
  }
  return part;
}

/** Checks a prefix or a key that a server is to be asked for. */
export function checkPrefix(doing: string, option: string, text: unknown): void {
  if (typeof text === "string" && text.isWellFormed()) return;
  throw new TypeError(
    `Cannot ${doing} as '${option}' must hold strings without halves of a character`,
  );
}

/** Which keys belong to a part. */
export class Part {
  readonly prefix: string | undefined;
  readonly keys: ReadonlySet<string>;

  /** @param prefix Undefined if the part has only the keys. */
  constructor(prefix: string | undefined, keys: Iterable<string>) {
    this.prefix = prefix;
    this.keys = new Set(keys);
  }

  has(key: string): boolean {
    return this.prefix !== undefined && key.startsWith(this.prefix) || this.keys.has(key);
  }
}
