/** How events are handled side by side, and what a handler is told beside its event. */
import { checkCount, checkPositive } from "../_errors/checks.ts";
import type { ExternalEvent } from "../_diff/source.ts";

/** How to handle events side by side. */
export interface HandleOptions {
  /**
   * How many handlers may run at once: a whole number. No two of them ever have the same key.
   *
   * @default {1}
   */
  concurrency?: number;
  /**
   * Milliseconds. A handler that takes longer has failed: its signal is aborted, its place is given to another, and its
   * item comes again. What it does from then on is up to itself: one that ignores its signal may still run beside the next
   * attempt.
   *
   * @default {undefined} none: a handler that never ends holds its place, and the next poll, for good
   */
  timeout?: number;
}

/** What a handler is told beside its event. */
export interface HandleContext {
  /** Aborts at the timeout, and when the watch ends otherwise than by `close`. */
  readonly signal: AbortSignal;
  /** How many times this item has been handed out since it was last handled, this time included: 1, 2, … */
  readonly attempt: number;
}

/** Handles one event. It was handled once what this returns has resolved. */
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
