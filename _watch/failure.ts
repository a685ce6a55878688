/** Turns what was thrown into the errors that a watch reports, with the name of its source. */
import { ExternalError } from "../_errors/external_error.ts";
import { oneLine } from "../_errors/one_line.ts";
import { reasonOf } from "../_errors/redact.ts";

/** A failure, and whether it ends the watch. */
export interface Failure {
  readonly error: ExternalError;
  /** Whether going on would lose changes, since the state cannot be trusted or belongs to somebody else by now. */
  readonly fatal: boolean;
}

/** The failure of a poll. An `ExternalError` is not copied, if possible. */
export function pollFailure(source: string, thrown: unknown): Failure {
  if (thrown instanceof ExternalError) {
    return { error: ofSource(thrown, source), fatal: isFatal(thrown) };
  }
  const message = `Cannot poll '${source}': ${reasonOf(thrown)}`;
  const error = new ExternalError("internal", message, { source, cause: thrown });
  return { error, fatal: false };
}

/** The `AbortError` of a watch that was closed. */
export function closedError(source: string): DOMException {
  return new DOMException(`The watch of '${oneLine(source)}' was closed`, "AbortError");
}

/**
 * A failure to load, save or delete a checkpoint. It counts as temporary, unless the store says otherwise with the
 * code `checkpoint`.
 */
export function checkpointFailure(
  source: string,
  verb: "load" | "save" | "delete",
  thrown: unknown,
): Failure {
  if (isFatal(thrown)) return { error: ofSource(thrown, source), fatal: true };
  const message = `Cannot ${verb} the checkpoint of '${source}': ${reasonOf(thrown)}`;
  const options = { ...answerOf(thrown), cause: thrown, source };
  return { error: new ExternalError("checkpoint", message, options), fatal: false };
}

/** The error for a state that a source cannot be restored from. */
export function restoreFailure(source: string, thrown: unknown): ExternalError {
  if (isFatal(thrown)) return ofSource(thrown, source);
  const message = `Cannot restore '${source}' from its checkpoint: ${reasonOf(thrown)}`;
  return new ExternalError("checkpoint", message, { cause: thrown, source });
}

/** The error with the place of the checkpoint, for whoever has to delete it or to put a backup there. */
export function withPlace(error: ExternalError, place: string): ExternalError {
  return copyOf(error, `${error.message} (it is kept in '${place}')`, error.source);
}

/** Whether a source or a store said that the watch must not go on. */
export function isFatal(thrown: unknown): thrown is ExternalError {
  return thrown instanceof ExternalError && thrown.code === "checkpoint";
}

/**
 * The error with the name of the watched source. The error itself is changed, if possible. It is copied if it is
 * frozen, or if it names something else, such as a store that several sources share.
 */
function ofSource(error: ExternalError, source: string): ExternalError {
  if (error.source === source || error.source === undefined && setSource(error, source)) {
    return error;
  }
  const copy = copyOf(error, error.message, source);
  if (error.stack !== undefined) copy.stack = error.stack;
  return copy;
}

/** Returns false if the error may not be changed. */
function setSource(error: ExternalError, value: string): boolean {
  const property = { value, configurable: true, enumerable: true, writable: true };
  return Reflect.defineProperty(error, "source", property);
}

function copyOf(error: ExternalError, message: string, source: string | undefined): ExternalError {
  return new ExternalError(error.code, message, {
    ...answerOf(error),
    cause: error.cause,
    ...(source !== undefined && { source }),
  });
}

/** The status and the `retryAfter` of the error, where it has them. */
function answerOf(thrown: unknown): { status?: number; retryAfter?: number } {
  const { status, retryAfter } = thrown instanceof ExternalError ? thrown : {};
  return {
    ...(status !== undefined && { status }),
    ...(retryAfter !== undefined && { retryAfter }),
  };
}

/** The error for an item whose handler failed. The message has all that the handler threw, except for secrets. */
export function handlerFailure(
  source: string,
  key: string | undefined,
  attempt: number,
  thrown: unknown,
): ExternalError {
  const what = key === undefined ? "an event of" : key === source ? "" : `'${key}' of`;
  const message = `Cannot handle ${what} '${source}': ${reasonOf(thrown)}`.replace("  ", " ");
  const options = { source, attempt, cause: thrown, ...(key !== undefined && { key }) };
  return new ExternalError("handler", message, options);
}
