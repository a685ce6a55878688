/** Parses the command line. */
import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { type Command, parseCommand } from "./command.ts";
import { compileGlob } from "./glob.ts";
import { suggest, UsageError } from "./usage.ts";

/** How to reach a target. */
export interface Access {
  readonly headers: Headers;
  readonly bearerToken?: () => Promise<string>;
  /** The URL of an S3, GCS or Azure service that is not the cloud's own. */
  readonly endpoint?: string;
}

/** Where to listen. */
export interface Address {
  /** Undefined: at every address. */
  readonly host?: string;
  readonly port: number;
}

/** What a command line asks for. */
export interface Options {
  readonly targets: readonly string[];
  /** The path of a JSON file of targets. */
  readonly sources?: string;
  /** Milliseconds from one good poll to the next. */
  readonly interval: number;
  readonly access: Access;
  /** Whether a key is wanted. */
  readonly filter?: (key: string) => boolean;
  readonly command?: Command;
  readonly download?: string;
  /** How many events may be handled at once. */
  readonly concurrency: number;
  readonly checkpoint?: string;
  readonly metrics?: Address;
  readonly diff: boolean;
  readonly json: boolean;
  readonly once: boolean;
  readonly wait: boolean;
  readonly help: boolean;
  readonly version: boolean;
}

const FLAGS = {
  interval: { type: "string", short: "i" },
  header: { type: "string", multiple: true },
  "token-file": { type: "string" },
  endpoint: { type: "string" },
  sources: { type: "string" },
  checkpoint: { type: "string" },
  filter: { type: "string" },
  exec: { type: "string" },
  concurrency: { type: "string" },
  download: { type: "string" },
  metrics: { type: "string" },
  diff: { type: "boolean" },
  json: { type: "boolean" },
  once: { type: "boolean" },
  wait: { type: "boolean" },
  help: { type: "boolean", short: "h" },
  version: { type: "boolean" },
} as const;

type Flag = keyof typeof FLAGS;

/** The longest first wait after a failure, in milliseconds: somebody may be watching the output. */
const FIRST_WAIT = 1_000;

const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const;

/** Reads a command line. Throws a {@linkcode UsageError} for what it does not understand. */
export function parseOptions(args: readonly string[]): Options {
  const { tokens, positionals } = parseArgs({
    args: [...args],
    options: FLAGS,
    allowPositionals: true,
    strict: false,
    tokens: true,
  });
  const given = new Map<Flag, string[]>();
  for (const token of tokens) {
    if (token.kind !== "option") continue;
    const { name, rawName, value } = token;
    if (!isFlag(name)) throw new UsageError(unknown(rawName, name));
    const takes = FLAGS[name].type === "string";
    if (takes && (value === undefined || value === "")) {
      throw new UsageError(`Cannot read ${rawName} as its value is missing`);
    }
    if (!takes && value !== undefined) {
      throw new UsageError(`Cannot read ${rawName} as it takes no value`);
    }
    given.set(name, [...given.get(name) ?? [], value ?? ""]);
  }
  const one = (flag: Flag): string | undefined => given.get(flag)?.at(-1);
  const [tokenFile, filter, exec] = [
    one("token-file"),
    one("filter"),
    one("exec"),
  ];
  const [endpoint, download, checkpoint] = [
    one("endpoint"),
    one("download"),
    one("checkpoint"),
  ];
  const [metrics, sources] = [one("metrics"), one("sources")];
  return {
    targets: positionals,
    ...(sources !== undefined && { sources }),
    interval: parseDuration(one("interval") ?? "30s"),
    access: {
      headers: parseHeaders(given.get("header") ?? []),
      ...(tokenFile !== undefined && {
        bearerToken: async () => (await readFile(tokenFile, "utf8")).trim(),
      }),
      ...(endpoint !== undefined && { endpoint }),
    },
    ...(filter !== undefined && { filter: compileGlob(filter) }),
    ...(exec !== undefined && { command: parseCommand(exec) }),
    ...(download !== undefined && { download }),
    concurrency: parseConcurrency(one("concurrency") ?? "1"),
    ...(checkpoint !== undefined && { checkpoint }),
    ...(metrics !== undefined && { metrics: parseAddress(metrics) }),
    diff: given.has("diff"),
    json: given.has("json"),
    once: given.has("once"),
    wait: given.has("wait"),
    help: given.has("help"),
    version: given.has("version"),
  };
}

/** Throws a {@linkcode UsageError} if the command of `--exec` needs a file and nothing is downloaded. */
export function checkCommand({ command, download }: Options): void {
  if (command?.needsFile && download === undefined) {
    throw new UsageError("Cannot run --exec as {file} needs --download");
  }
}

/** The first wait after a failure, in milliseconds. It doubles with each further failure. */
export function minBackoff(interval: number): number {
  return Math.min(2 * interval, FIRST_WAIT);
}

function isFlag(name: string): name is Flag {
  return Object.hasOwn(FLAGS, name);
}

function unknown(shown: string, name: string): string {
  const meant = suggest(name, Object.keys(FLAGS));
  return `Cannot read ${shown} as there is no such option: ` +
    (meant === undefined ? "see --help" : `did you mean --${meant}?`);
}

/** Parses `500ms`, `5s`, `2m` or `1h` to milliseconds; a bare number is in seconds. */
export function parseDuration(text: string): number {
  const [, number, unit = "s"] = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text) ??
    [];
  const ms = Number(number) * UNITS[unit as keyof typeof UNITS];
  if (ms > 0) return ms;
  throw new UsageError(
    `Cannot read the interval '${text}': say 500ms, 5s, 2m or 1h`,
  );
}

function parseConcurrency(text: string): number {
  const count = /^\d{1,6}$/.test(text) ? Number(text) : 0;
  if (count > 0) return count;
  throw new UsageError(`Cannot handle '${text}' events at once: say a number from 1 on`);
}

function parseHeaders(lines: readonly string[]): Headers {
  const headers = new Headers();
  for (const line of lines) {
    const colon = line.indexOf(":");
    try {
      headers.append(
        line.slice(0, Math.max(colon, 0)).trim(),
        line.slice(colon + 1).trim(),
      );
    } catch {
      // The value may be a secret, so the message does not repeat it.
      throw new UsageError("Cannot read a header: say --header 'Name: value'");
    }
  }
  return headers;
}

/** Parses `:9090` or `9090`, both for every address, `127.0.0.1:9090` or `[::1]:9090`. */
function parseAddress(text: string): Address {
  const [, host = "", digits = ""] = /^(?:(\[[^\]]+\]|[^:]*):)?(\d{1,5})$/.exec(text) ?? [];
  const port = Number(digits);
  if (digits === "" || port > 65_535) {
    throw new UsageError(
      `Cannot serve metrics at '${text}': say :9090 or 127.0.0.1:9090`,
    );
  }
  return host === "" ? { port } : { host: host.replace(/^\[|\]$/g, ""), port };
}
