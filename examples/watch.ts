/**
 * Watches URLs, buckets and folders from the command line. Without arguments: a demonstration that needs
 * nothing else, and ends by itself.
 *
 *     deno run -A examples/watch.ts
 *     deno run -A examples/watch.ts https://host/config --interval 5s --header 'X-Key: v'
 */
import { readFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import {
  type CheckpointStore,
  type ExternalSource,
  type ExternalWatch,
  watchExternal,
} from "@koprs/external";
import { FileCheckpointStore } from "@koprs/external/checkpoints/file";
import { demonstrate } from "./_demo.ts";
import { jsonPrinter, linePrinter, type Printer } from "./_print.ts";
import { type Access, sourceFor, UsageError } from "./_targets.ts";

const HELP = `Watches URLs, buckets and folders, and prints what changes.

  deno run -A examples/watch.ts [TARGET …] [OPTIONS]

Targets
  https://host/config             an HTTP resource
  s3://bucket/prefix              S3; credentials from the AWS_… variables
  gs://bucket/prefix              Google Cloud Storage; GOOGLE_APPLICATION_CREDENTIALS
  az://account/container/prefix   Azure Blob Storage; AZURE_STORAGE_CONNECTION_STRING or …_KEY
  dav+https://host/folder         WebDAV
  ./folder                        a local folder
  none                            a demonstration

Options
  --interval 5s       from one good poll to the next: ms, s, m or h (default 30s)
  --header 'K: V'     sent to HTTP and WebDAV targets; may be repeated
  --token-file FILE   its content is sent as a bearer token; read anew for each request
  --endpoint URL      of an S3, GCS or Azure service that is not the cloud's own
  --checkpoint FOLDER keep the state there: a restart reports what changed meanwhile, and only that
  --json              JSON lines: events to standard output, failures to standard error
  --once              one poll each, then end: exit code 1 if one failed
  --help              this text
`;

const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const;

interface Command {
  targets: string[];
  interval: number;
  access: Access;
  checkpoint?: CheckpointStore;
  json: boolean;
  once: boolean;
  help: boolean;
}

function parseCommand(args: string[]): Command {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      interval: { type: "string", default: "30s" },
      header: { type: "string", multiple: true, default: [] },
      "token-file": { type: "string" },
      endpoint: { type: "string" },
      checkpoint: { type: "string" },
      json: { type: "boolean", default: false },
      once: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  const { interval, header, endpoint, checkpoint, json, once, help } = values;
  const tokenFile = values["token-file"];
  return {
    targets: positionals,
    interval: parseDuration(interval),
    access: {
      headers: parseHeaders(header),
      ...(tokenFile && { bearerToken: async () => (await readFile(tokenFile, "utf8")).trim() }),
      ...(endpoint && { endpoint }),
    },
    ...(checkpoint !== undefined && { checkpoint: new FileCheckpointStore(checkpoint) }),
    json,
    once,
    help,
  };
}

function parseDuration(text: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text) ?? [];
  const ms = Number(number) * UNITS[unit as keyof typeof UNITS];
  if (ms > 0) return ms;
  throw new UsageError(`Cannot read the interval '${text}': say 500ms, 5s, 2m or 1h`);
}

function parseHeaders(lines: string[]): Headers {
  const headers = new Headers();
  for (const line of lines) {
    const colon = line.indexOf(":");
    try {
      headers.append(line.slice(0, Math.max(colon, 0)).trim(), line.slice(colon + 1).trim());
    } catch {
      // The value may be a key: it is not repeated.
      throw new UsageError("Cannot read a header: say --header 'Name: value'");
    }
  }
  return headers;
}

/** Prints the events of one source until its watch ends. Resolves to whether `once` succeeded. */
async function watch(
  source: ExternalSource<unknown>,
  { interval, checkpoint, once }: Command,
  printer: Printer,
  live: Set<ExternalWatch<unknown>>,
): Promise<boolean> {
  let good = true;
  const watch = watchExternal(source, {
    interval,
    ...(checkpoint && { checkpoint }),
    logger: false, // the printer tells
    onError(error, info) {
      printer.failure(source.name, error, info);
      if (once) {
        good = false;
        watch.close();
      }
    },
  });
  live.add(watch);
  if (once) watch.synced.then(() => watch.close(), () => {}); // Rejects when it is closed before.
  for await (const event of watch) printer.event(source.name, event);
  return good;
}

async function watchAll(command: Command, printer: Printer): Promise<number> {
  const sources = await usage(() =>
    Promise.all(command.targets.map((target) => sourceFor(target, command.access)))
  );
  const live = new Set<ExternalWatch<unknown>>();
  const end = () => live.forEach((watch) => watch.close());
  Deno.addSignalListener("SIGINT", end);
  if (Deno.build.os !== "windows") Deno.addSignalListener("SIGTERM", end);
  const good = await Promise.all(sources.map((source) => watch(source, command, printer, live)));
  return good.includes(false) ? 1 : 0;
}

/** Runs what reads the command line: its errors are one line, and exit code 2. */
async function usage<R>(body: () => R | Promise<R>): Promise<R> {
  try {
    return await body();
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    Deno.exit(2);
  }
}

const command = await usage(() => parseCommand(Deno.args));
const printer = command.json ? jsonPrinter : linePrinter;
if (command.help) console.log(HELP);
else if (command.targets.length === 0) await demonstrate(printer);
else Deno.exit(await watchAll(command, printer));
