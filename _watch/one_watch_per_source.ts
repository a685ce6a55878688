/** One source object can be used by only one live watch at a time. */
import type { ExternalSource } from "../_diff/source.ts";
import { oneLine } from "../_errors/one_line.ts";

const taken = new WeakSet<ExternalSource<unknown>>();

/** @throws {TypeError} If the source is being watched already. */
export function checkFree(source: ExternalSource<unknown>): void {
  if (!taken.has(source)) return;
  throw new TypeError(
    `Cannot watch '${oneLine(source.name)}' as this source object is being watched already: ` +
      "end that watch first, or make a second source",
  );
}

/** Marks the source as watched. Returns a function that takes that back. */
export function takeSource(source: ExternalSource<unknown>): () => void {
  taken.add(source);
  return () => void taken.delete(source);
}
