/** The options of `handle`, and the context that a handler gets. */
import { checkCount, checkPositive } from "../_errors/checks.ts";
import type { ExternalEvent } from "../_diff/source.ts";

/** How many handlers may run at once, and how long each may take. */
export interface HandleOptions {
  /**
   * How many handlers may run at once: a whole number. No two of them ever have the same key.
   *
   * @default {1}
   */
  concurrency?: number;
  /**
   * How long a handler may take, in milliseconds. One that takes longer has failed: its signal is aborted, another
   * handler may start in its place, and its item comes again. A handler that ignores its signal may still be running
   * during the next attempt.
   *
   * @default {undefined} no limit: a handler that never ends blocks its place, and the next poll, forever
   */
  timeout?: number;
}

/** What a handler gets besides its event. */
export interface HandleContext {
  /** Aborts at the timeout, and when the watch ends, except by `close`. */
  readonly signal: AbortSignal;
  /** How many times this item has been handed out since it was last handled, this time included: 1, 2, … */
  readonly attempt: number;
}

/** Handles one event. The event is handled once what this returns has resolved. */
export type Handler<E> = (event: E, context: HandleContext) => unknown;

/** Checks what `handle` was given. `E` is the event of a watch or of a group. */
export function checkHandling<E extends ExternalEvent<unknown>>(
  handler: Handler<E>,
  options: HandleOptions = {},
): { readonly concurrency: number; readonly timeout: number | undefined } {
  if (typeof handler !== "function") {
    throw new TypeError("Cannot handle events as the handler must be a function");
  }
  if (typeof options !== "object" || options === null) {
    throw new TypeError(`Cannot handle events as the options must be an object`);
  }
  const { concurrency = 1, timeout } = options;
  checkCount("handle events", "concurrency", concurrency);
  if (timeout !== undefined) checkPositive("handle events", "timeout", timeout);
  return { concurrency, timeout };
}
