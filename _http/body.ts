/** Reads the body of an answer within limits, or discards it to free its connection. */
import { gatherBody } from "../_bounds/gather_body.ts";
import type { Limits } from "../_bounds/limits.ts";
import { Gatherer } from "../_bytes/gather.ts";
import type { Faults, Place } from "./faults.ts";
import { lengthOf } from "./headers.ts";

/** A body of known length gets its array at once, up to this many bytes: a server may claim any length. */
const MOST_EXPECTED = 1024 * 1024;

/**
 * Reads the whole body.
 *
 * @param decoded Whether the runtime may have decoded it, so that `Content-Length` is not its length.
 */
export async function readBody(
  response: Response,
  { limits, maxBytes, decoded, faults, from }: {
    readonly limits: Limits;
    readonly maxBytes: number;
    readonly decoded: boolean;
    readonly faults: Faults;
    readonly from: Place;
  },
): Promise<Uint8Array<ArrayBuffer>> {
  const length = lengthOf(response.headers);
  const tooLarge = () =>
    faults.error(
      "too-large",
      `a body of more than ${maxBytes} bytes; raise 'maxBytes' if that is right`,
      {
        from,
      },
    );
  if (length !== undefined && length > maxBytes) throw tooLarge();
  const gathered = new Gatherer(maxBytes, length && Math.min(length, MOST_EXPECTED));
  if (response.body !== null && !await gatherBody(response.body, gathered, limits)) {
    throw tooLarge();
  }
  const bytes = gathered.take();
  if (length === undefined || length === bytes.length || decoded) return bytes;
  const what = `a body of ${bytes.length} bytes where Content-Length says ${length}`;
  throw faults.error("protocol", what, { from });
}

/** Cancels a body that nobody will read: otherwise its connection would stay in use. */
export function discard(response: Response): void {
  // A locked body is being cancelled by whoever reads it; a broken one has nothing left to free.
  if (!response.body?.locked) response.body?.cancel().catch(() => {});
}
