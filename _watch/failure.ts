/** What was thrown, as a watch reports it: with the name of its source. */
import { ExternalError } from "../_errors/external_error.ts";
import { oneLine } from "../_errors/one_line.ts";
import { reasonOf } from "../_errors/redact.ts";

/** A failure, and whether it ends the watch. */
export interface Failure {
  readonly error: ExternalError;
  /** Going on would lose changes: state cannot be trusted, or is not ours any more. */
  readonly fatal: boolean;
}

/** The failure of a poll. An `ExternalError` keeps its identity where that is possible. */
export function pollFailure(source: string, thrown: unknown): Failure {
  if (thrown instanceof ExternalError) {
    return { error: ofSource(thrown, source), fatal: isFatal(thrown) };
  }
  const message = `Cannot poll '${source}': ${reasonOf(thrown)}`;
  const error = new ExternalError("internal", message, { source, cause: thrown });
  return { error, fatal: false };
}

/** Why a watch that was closed has ended. */
export function closedError(source: string): DOMException {
  return new DOMException(`The watch of '${oneLine(source)}' was closed`, "AbortError");
}

/** A failure to load or save a checkpoint. It is taken to pass, unless the store said otherwise. */
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

/** State that a source does not take back. */
export function restoreFailure(source: string, thrown: unknown): ExternalError {
  if (isFatal(thrown)) return ofSource(thrown, source);
  const message = `Cannot restore '${source}' from its checkpoint: ${reasonOf(thrown)}`;
  return new ExternalError("checkpoint", message, { cause: thrown, source });
}

/** The error with the place of the checkpoint, for whoever is told to delete it or to put back a copy. */
export function withPlace(error: ExternalError, place: string): ExternalError {
  return copyOf(error, `${error.message} (it is kept in '${place}')`, error.source);
}

/** Whether a source or a store said that the watch must not go on. */
export function isFatal(thrown: unknown): thrown is ExternalError {
  return thrown instanceof ExternalError && thrown.code === "checkpoint";
}

/**
 * The error with the name of the source that is watched. The error itself where it can be: one that is frozen, or that
 * names something else, such as a store that several sources share, is copied.
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

/** What the server had to say about it, where there was one. */
function answerOf(thrown: unknown): { status?: number; retryAfter?: number } {
  const { status, retryAfter } = thrown instanceof ExternalError ? thrown : {};
  return {
    ...(status !== undefined && { status }),
    ...(retryAfter !== undefined && { retryAfter }),
  };
}

/** An item that its handler failed for. What it threw stays whole in the message, but for secrets. */
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
