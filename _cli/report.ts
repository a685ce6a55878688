/** What is printed: readable lines, or JSON lines. */
import type { ExternalError } from "../_errors/external_error.ts";
import type { ExternalEvent } from "../_diff/source.ts";
import { oneLine } from "../_errors/one_line.ts";
import type { FailureInfo } from "../_watch/options.ts";
import type { Screen } from "./screen.ts";

/** Fields of the items of all sources. Which of them are there depends on the source. */
export interface Item {
  readonly key?: string;
  readonly size?: number;
  readonly body?: Uint8Array;
  readonly etag?: string;
  readonly lastModified?: number | string;
}

/** What was done with an event. */
export interface Done {
  /** Lines that show what changed within the content. */
  readonly diff?: readonly string[];
  /** The file to which the content was downloaded. */
  readonly file?: string;
}

/** Where events and failures go. */
export interface Report {
  event(
    source: string,
    event: ExternalEvent<unknown>,
    done: Done,
  ): Promise<void>;
  unchanged(source: string): Promise<void>;
  /** A poll, a save of the state, or an event failed. Without `info`, it is not tried again. */
  failure(source: string, error: ExternalError, info?: FailureInfo): void;
  /** A poll succeeded. */
  recovered(source: string): void;
  note(text: string): void;
}

const COLORS = { added: "green", modified: "yellow", removed: "red" } as const;
/** The most characters of an error or line that are shown. A longer one belongs in a log, not on a terminal. */
const LONGEST = 400;

export function jsonReport(screen: Screen): Report {
  const time = () => new Date().toISOString();
  const say = (value: object) => screen.note(JSON.stringify({ time: time(), ...value }));
  const failing = new Set<string>();
  return {
    event(source, { type, item }, { diff, file }) {
      const { key, etag } = item as Item;
      const size = sizeOf(item);
      return screen.print(
        JSON.stringify({
          time: time(),
          type,
          source,
          key,
          size,
          etag,
          file,
          diff,
        }),
      );
    },
    unchanged(source) {
      return screen.print(
        JSON.stringify({ time: time(), type: "unchanged", source }),
      );
    },
    failure(source, { code, status, key, message }, info) {
      if (code !== "handler") failing.add(source);
      say({ type: "error", source, code, status, key, message, ...info });
    },
    recovered(source) {
      if (failing.delete(source)) say({ type: "recovered", source });
    },
    note(message) {
      say({ type: "note", message });
    },
  };
}

export function lineReport(screen: Screen): Report {
  const told = new Map<string, string>();
  const say = (what: string) => screen.note(`${clock()}  ${what}`);
  return {
    async event(source, { type, item }, { diff = [], file }) {
      const { key } = item as Item;
      const what = key === undefined ? source : `${source} ${printable(key)}`;
      const size = type === "removed" ? "" : `  ${formatSize(sizeOf(item))}`;
      const to = file === undefined ? "" : `  ${screen.color("dim", `→ ${printable(file)}`)}`;
      const head = `${clock()}  ${screen.color(COLORS[type], type.padEnd(8))}  ${what}${size}${to}`;
      const lines = diff.map((line) => {
        const color = line.startsWith("-") ? "red" : line.startsWith("+") ? "green" : "dim";
        return `          ${screen.color(color, oneLine(line, LONGEST))}`;
      });
      await screen.print([head, ...lines].join("\n"));
    },
    unchanged(source) {
      return screen.print(`${clock()}  unchanged ${source}`);
    },
    failure(source, { code, message }, info) {
      const again = info && `again in ${seconds(info.wait)}`;
      let next = again === undefined ? "" : ` (${again})`;
      if (code === "handler") {
        if (info !== undefined) next = ` (attempt ${info.attempt}, ${again})`;
      } else {
        // A repeated failure shows only in the status line.
        if (told.get(source) === message) return;
        told.set(source, message);
      }
      say(
        `${screen.noteColor("magenta", "failed  ")}  ${oneLine(message, LONGEST)}${next}`,
      );
    },
    recovered(source) {
      if (told.delete(source)) {
        say(`${screen.noteColor("green", "well    ")}  ${source} again`);
      }
    },
    note(text) {
      say(oneLine(text, LONGEST));
    },
  };
}

/** The size of the item's content, in bytes. */
export function sizeOf(item: unknown): number {
  const { size, body } = item as Item;
  return size ?? body?.length ?? 0;
}

/** Formats milliseconds as `9.5 s`, `12 s` or `3 min`. */
export function seconds(ms: number): string {
  const value = Math.max(0, ms) / 1000;
  if (value >= 120) return `${Math.round(value / 60)} min`;
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} s`;
}

function formatSize(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  const unit = Math.min(Math.floor(Math.log10(bytes) / 3), 4);
  return `${(bytes / 1000 ** unit).toFixed(1)} ${["B", "kB", "MB", "GB", "TB"][unit]}`;
}

// A key may hold anything, even characters that move a terminal's cursor.
function printable(key: string): string {
  return /^[^\p{C}]*$/u.test(key) ? key : JSON.stringify(key);
}

function clock(): string {
  return new Date().toTimeString().slice(0, 8);
}
