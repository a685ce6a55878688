/** What a notification is about, and how its fields are read without trusting their types. */
import { ExternalError } from "../_errors/external_error.ts";

/** One object, or one folder, that a notification is about. */
export interface ObjectNotice {
  /** The key of the object, exactly as a listing has it; for a folder, the prefix of its keys, with the final `/`. */
  readonly key: string;
  /** The bucket or container, if the notification names it. */
  readonly bucket?: string;
  /** True: all keys that begin with `key` are meant, such as after a folder was renamed. */
  readonly folder?: true;
}

/** A JSON object whose fields may be anything. */
export type Fields = Readonly<Record<string, unknown>>;

export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The value if it is an object, or an empty object otherwise. */
export function fieldsOf(value: unknown): Fields {
  return isFields(value) ? value : {};
}

/** The value if it is a string that is not empty. Throws otherwise. */
export function textOf(value: unknown, what: string): string {
  if (typeof value === "string" && value !== "") return value;
  throw notUnderstood(`its ${what} is missing or not a string`);
}

/** The value if it is a string, or an empty string otherwise. */
export function orEmpty(value: unknown): string {
  return typeof value === "string" ? value : "";
}

export function notice(key: string, bucket: unknown): ObjectNotice {
  return typeof bucket === "string" && bucket !== "" ? { key, bucket } : { key };
}

export function notUnderstood(why: string): ExternalError {
  return new ExternalError("invalid", `Cannot read the notification as ${why}`);
}
