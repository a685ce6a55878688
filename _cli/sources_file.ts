/** Reads and checks a JSON file of targets. */
import { readFile } from "node:fs/promises";
import { checkCommand, minBackoff, type Options, parseDuration } from "./options.ts";
import { type Target, targetFor } from "./targets.ts";
import { suggest, UsageError } from "./usage.ts";
import { compileGlob } from "./glob.ts";

/** One target of the file, with the options that replace those of the command line. */
export interface Entry {
  readonly target: string;
  readonly prefix?: string;
  /** As on the command line, or a number of seconds. */
  readonly interval?: string | number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly tokenFile?: string;
  readonly endpoint?: string;
  readonly filter?: string;
  readonly download?: string;
}

type Kind = "text" | "duration" | "texts";

const FIELDS: Readonly<Record<keyof Entry, Kind>> = {
  target: "text",
  prefix: "text",
  interval: "duration",
  headers: "texts",
  tokenFile: "text",
  endpoint: "text",
  filter: "text",
  download: "text",
};

/** Reads the file. Rejects if anything in it is not understood, with a message that repeats no possible secret. */
export async function readSources(file: string): Promise<Entry[]> {
  return parseSources(await readFile(file, "utf8"), file);
}

/** The targets in the text of such a file. Throws a {@linkcode UsageError} for anything that is not understood. */
export function parseSources(text: string, file: string): Entry[] {
  const list = parseJson(text, file);
  if (!Array.isArray(list)) {
    throw new UsageError(`Cannot read '${file}' as it is not a list: say ["s3://bucket", …]`);
  }
  return list.map((value: unknown, at) => {
    const entry: unknown = typeof value === "string" ? { target: value } : value;
    const fault = faultOf(entry);
    if (fault === undefined) return entry as Entry;
    throw new UsageError(`Cannot read '${file}' as ${fault} in target ${at + 1}`);
  });
}

/** The options of the command line, with those of one target in their place. */
export function optionsOf(entry: Entry, options: Options): Options {
  const { interval, headers = {}, tokenFile, endpoint, filter, download } = entry;
  const merged = new Headers(options.access.headers);
  for (const [name, value] of Object.entries(headers)) {
    try {
      merged.set(name, value);
    } catch {
      throw new UsageError(`Cannot watch '${entry.target}' as one of its headers cannot be sent`);
    }
  }
  return {
    ...options,
    ...(interval !== undefined && { interval: parseDuration(String(interval)) }),
    access: {
      ...options.access,
      headers: merged,
      ...(tokenFile !== undefined && {
        bearerToken: async () => (await readFile(tokenFile, "utf8")).trim(),
      }),
      ...(endpoint !== undefined && { endpoint }),
    },
    ...(filter !== undefined && { filter: compileGlob(filter) }),
    ...(download !== undefined && { download }),
  };
}

/** A target, and how to watch it. */
export interface Prepared {
  readonly target: Target;
  readonly options: Options;
  readonly pace: { readonly interval: number; readonly minBackoff: number };
}

/** Makes the target of an entry. Rejects with a {@linkcode UsageError} if that is not possible. */
export async function prepare(entry: Entry, given: Options): Promise<Prepared> {
  const options = optionsOf(entry, given);
  checkCommand(options);
  const { interval } = options;
  const target = await targetFor(entry.target, options, entry.prefix);
  return { target, options, pace: { interval, minBackoff: minBackoff(interval) } };
}

function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    // The message of the parser repeats some of the text, which may hold a secret.
    const [, position] = /position (\d+)/.exec(String(error)) ?? [];
    const line = position && text.slice(0, Number(position)).split("\n").length;
    throw new UsageError(
      `Cannot read '${file}' as it is not JSON${line === undefined ? "" : `: see line ${line}`}`,
    );
  }
}

function faultOf(entry: unknown): string | undefined {
  if (typeof entry !== "object" || entry === null || Array.isArray(entry)) {
    return "there is a value that is neither a string nor an object";
  }
  if (!("target" in entry)) return "'target' is missing";
  for (const [name, value] of Object.entries(entry)) {
    const kind = Object.hasOwn(FIELDS, name) ? FIELDS[name as keyof Entry] : undefined;
    if (kind === undefined) {
      const meant = suggest(name, Object.keys(FIELDS));
      const hint = meant === undefined ? "" : ` (did you mean '${meant}'?)`;
      return `there is no such field as '${name}'${hint}`;
    }
    if (!isOfKind(value, kind)) return `'${name}' is not what it should be`;
  }
  return undefined;
}

function isOfKind(value: unknown, kind: Kind): boolean {
  if (kind === "texts") {
    return typeof value === "object" && value !== null && !Array.isArray(value) &&
      Object.values(value).every((text) => typeof text === "string");
  }
  return typeof value === "string" && value !== "" ||
    kind === "duration" && typeof value === "number";
}
