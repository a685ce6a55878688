/** What kind of failure the runtime or a client says it was. */

/** The `code` of what was thrown, such as `ENOENT`; undefined if it has none. */
export function codeOf(thrown: unknown): unknown {
  return (thrown as { code?: unknown } | null)?.code;
}
