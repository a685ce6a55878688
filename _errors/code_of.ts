/** Error codes of runtimes and clients. */

/** The `code` of what was thrown, such as `ENOENT`; undefined if it has none. */
export function codeOf(thrown: unknown): unknown {
  return (thrown as { code?: unknown } | null)?.code;
}
