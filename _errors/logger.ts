/** Where this package logs. */

/**
 * Where a watch logs what it does. Each call gets one line of text, without control characters. `console`, a logger
 * of `@std/log` and a pino logger all fit.
 */
export interface Logger {
  /** Every poll. */
  debug(message: string): unknown;
  /** A recovery after failed polls, or after failed saves of the state. */
  info(message: string): unknown;
  /** A failed poll, or a failed save of the state. */
  warn(message: string): unknown;
  /** An error that ends the stream. */
  error(message: string): unknown;
}
