/** The errors of a store that reads a folder and its files. */
import { codeOf } from "../_errors/code_of.ts";
import { ExternalError } from "../_errors/external_error.ts";
import { reasonOf, redactError } from "../_errors/redact.ts";

/** Makes the errors of one store. */
export class Failures {
  readonly #store: string;

  /** @param store The name of the store. */
  constructor(store: string) {
    this.#store = store;
  }

  /** A listing that failed at this path. */
  list(path: string, thrown: unknown): ExternalError {
    if (thrown instanceof ExternalError) return thrown;
    return this.of("list", `'${shorten(path)}': ${explain(thrown)}`, thrown);
  }

  /** A file that could not be read. */
  get(key: string, thrown: unknown): ExternalError {
    if (thrown instanceof ExternalError) return thrown;
    return this.of(`get '${key}' from`, explain(thrown), thrown);
  }

  missing(key: string, why = "does not exist"): ExternalError {
    return new ExternalError("store", `Cannot get '${key}' from '${this.#store}' as it ${why}`, {
      source: this.#store,
      status: 404,
    });
  }

  changed(key: string): ExternalError {
    const message =
      `Cannot get '${key}' from '${this.#store}' as it changed: its ETag is another one`;
    return new ExternalError("store", message, { source: this.#store, status: 412 });
  }

  of(doing: string, why: string, thrown?: unknown): ExternalError {
    return new ExternalError("store", `Cannot ${doing} '${this.#store}': ${why}`, {
      source: this.#store,
      ...(thrown !== undefined && { cause: redactError(thrown) }),
    });
  }
}

/** Whether a path does not exist. ENOTDIR: a folder on the way to it was replaced by a file. */
export function isVanished(thrown: unknown): boolean {
  const code = codeOf(thrown);
  return code === "ENOENT" || code === "ENOTDIR";
}

/** Shortens a long path, so that the message has room for the reason. */
function shorten(path: string): string {
  return path.length <= 600 ? path : `${path.slice(0, 200)}…${path.slice(-200)}`;
}

function explain(thrown: unknown): string {
  switch (codeOf(thrown)) {
    case "ENOENT":
      return "it does not exist (ENOENT), which will not pass before somebody makes it";
    case "ENOTDIR":
      return "it is not a folder (ENOTDIR), which will not pass by itself";
    case "EACCES":
    case "EPERM":
      return `this process may not read it (${codeOf(thrown)}), which will not pass by itself`;
  }
  // Deno's error for a permission that the process was not given.
  const denied = (thrown as { name?: unknown } | null)?.name === "NotCapable";
  return denied ? `${reasonOf(thrown)}: this will not pass by itself` : reasonOf(thrown);
}
