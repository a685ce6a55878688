/** What a notification says, and how its parts are read without trusting their shape. */
import { ExternalError } from "../_errors/external_error.ts";

/** One object, or one folder, that a notification is about. */
export interface ObjectNotice {
  /** The key of the object, exactly as a listing has it; of a folder the prefix of its keys, with the `/` at its end. */
  readonly key: string;
  /** The bucket or container, where the notification names it. */
  readonly bucket?: string;
  /** True: all keys that begin with `key` are meant, such as after a folder was renamed. */
  readonly folder?: true;
}

/** An object of JSON whose fields may be anything. */
export type Fields = Readonly<Record<string, unknown>>;

export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The fields of a part, or none where it is something else. */
export function fieldsOf(value: unknown): Fields {
  return isFields(value) ? value : {};
}

/** A text that has to be there. */
export function textOf(value: unknown, what: string): string {
  if (typeof value === "string" && value !== "") return value;
  throw notUnderstood(`its ${what} is no text`);
}

/** A text, or the empty one for anything else. */
export function orEmpty(value: unknown): string {
  return typeof value === "string" ? value : "";
}

export function notice(key: string, bucket: unknown): ObjectNotice {
  return typeof bucket === "string" && bucket !== "" ? { key, bucket } : { key };
}

export function notUnderstood(why: string): ExternalError {
  return new ExternalError("invalid", `Cannot read the notification as ${why}`);
}
