/** The one error of a listing that has a remedy: its keys do not come in the order that ranges need. */
import { ExternalError } from "../_errors/external_error.ts";

const faults = new WeakSet<object>();

/**
 * The error for keys that are not in UTF-8 byte order, come twice, or are outside of the range that was asked for.
 *
 * A poller that gets one lists the store once more within the same poll, as one listing without `after` and
 * `until`, and never in ranges again. A store that finds such a fault while it lists a range throws this error, and
 * must not drop the keys in question. If no range was asked for, it yields the keys as they come: order does not
 * matter then.
 *
 * @param what Completes "Cannot list '…' in ranges as".
 */
export function orderFault(source: string, what: string): ExternalError {
  const error = new ExternalError("protocol", `Cannot list '${source}' in ranges as ${what}`, {
    source,
  });
  faults.add(error);
  return error;
}

/** Whether an error was made by {@linkcode orderFault}. */
export function isOrderFault(thrown: unknown): boolean {
  return typeof thrown === "object" && thrown !== null && faults.has(thrown);
}
