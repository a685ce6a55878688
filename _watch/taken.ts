/** One source object serves one live watch. */
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

/** Takes the source, until what is returned is called. */
export function takeSource(source: ExternalSource<unknown>): () => void {
  taken.add(source);
  return () => void taken.delete(source);
}
