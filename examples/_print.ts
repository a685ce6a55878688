/** Prints events and failures: readable lines, or JSON lines. */
import { styleText } from "node:util";
import type { ExternalError, ExternalEvent, FailureInfo } from "@koprs/external";

/** Where events and failures go. */
export interface Printer {
  event(source: string, event: ExternalEvent<unknown>): void;
  failure(source: string, error: ExternalError, info: FailureInfo): void;
  note(text: string): void;
}

/** What the items of all sources have, as far as they have it. */
interface Shown {
  key?: string;
  size?: number;
  body?: Uint8Array;
  etag?: string;
}

const COLORS = { added: "green", modified: "yellow", removed: "red" } as const;

export const jsonPrinter: Printer = {
  event(source, { type, item }) {
    const { key, etag } = item as Shown;
    console.log(JSON.stringify({ time: new Date(), type, source, key, size: sizeOf(item), etag }));
  },
  failure(source, { code, status, message }, { attempt, wait }) {
    const time = new Date();
    console.error(
      JSON.stringify({ time, type: "error", source, code, status, message, attempt, wait }),
    );
  },
  note(text) {
    console.error(JSON.stringify({ time: new Date(), type: "note", message: text }));
  },
};

export const linePrinter: Printer = {
  event(source, { type, item }) {
    const { key } = item as Shown;
    const what = key === undefined ? source : `${source} ${printable(key)}`;
    const size = type === "removed" ? "" : `  ${formatSize(sizeOf(item))}`;
    console.log(`${clock()}  ${color(COLORS[type], type.padEnd(8))}  ${what}${size}`);
  },
  failure(_source, error, { attempt, wait }) {
    const next = `attempt ${attempt}, next in ${(wait / 1000).toFixed(1)} s`;
    console.log(`${clock()}  ${color("magenta", "failed  ")}  ${error.message} (${next})`);
  },
  note(text) {
    console.log(`${clock()}  ${color("dim", text)}`);
  },
};

function sizeOf(item: unknown): number {
  const { size, body } = item as Shown;
  return size ?? body?.length ?? 0;
}

function formatSize(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  const unit = Math.min(Math.floor(Math.log10(bytes) / 3), 4);
  return `${(bytes / 1000 ** unit).toFixed(1)} ${["B", "kB", "MB", "GB", "TB"][unit]}`;
}

// A key may hold anything, also what moves a terminal's cursor.
function printable(key: string): string {
  return /^[^\p{C}]*$/u.test(key) ? key : JSON.stringify(key);
}

function clock(): string {
  return new Date().toTimeString().slice(0, 8);
}

function color(name: "green" | "yellow" | "red" | "magenta" | "dim", text: string): string {
  const wanted = Deno.stdout.isTerminal() && !Deno.env.get("NO_COLOR");
  return wanted ? styleText(name, text, { validateStream: false }) : text;
}
