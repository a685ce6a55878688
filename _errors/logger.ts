/** Where this package logs. */

/**
 * Where a watch writes what it does: one line of text a call. `console`, a logger of `@std/log` and one
 * of pino all fit.
 */
export interface Logger {
  /** Every poll. */
  debug(message: string): unknown;
  /** A recovery after failures. */
  info(message: string): unknown;
  /** A failed poll. */
  warn(message: string): unknown;
  /** An error that ends the stream. */
  error(message: string): unknown;
}
