/** Prints events and failures, one line each, in colour on a terminal. */
import process from "node:process";
import { styleText } from "node:util";
import type { ExternalError, ExternalEvent, FailureInfo } from "@koprs/external";

/** The fields of an item that are printed, if its source has them. */
interface Shown {
  readonly key?: string;
  readonly size?: number;
  readonly body?: Uint8Array;
}

const COLORS = { added: "green", modified: "yellow", removed: "red" } as const;

export function printEvent(
  source: string,
  { type, item }: ExternalEvent<Shown>,
): void {
  const { key, size, body } = item;
  const what = key === undefined ? source : `${source} ${key}`;
  const bytes = type === "removed" ? "" : `  ${size ?? body?.length} B`;
  console.log(
    `${clock()}  ${color(COLORS[type], type.padEnd(8))}  ${what}${bytes}`,
  );
}

export function printFailure(
  { message }: ExternalError,
  { attempt, wait }: FailureInfo,
): void {
  const next = `attempt ${attempt}, next in ${(wait / 1000).toFixed(1)} s`;
  console.log(
    `${clock()}  ${color("magenta", "failed  ")}  ${message} (${next})`,
  );
}

export function printNote(text: string): void {
  console.log(`${clock()}  ${color("dim", text)}`);
}

function clock(): string {
  return new Date().toTimeString().slice(0, 8);
}

function color(
  name: "green" | "yellow" | "red" | "magenta" | "dim",
  text: string,
): string {
  const wanted = process.stdout.isTTY && !process.env.NO_COLOR;
  return wanted ? styleText(name, text, { validateStream: false }) : text;
}
