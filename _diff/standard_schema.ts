/** What a validation library says of data: the interface of Standard Schema (https://standardschema.dev), version 1. */

/** A schema of zod, valibot, arktype or any other library that follows Standard Schema. */
export interface StandardSchemaV1<Input = unknown, Output = Input> {
  /** What the library says of itself and of data. */
  readonly "~standard": {
    /** The version of the interface. */
    readonly version: 1;
    /** The library. */
    readonly vendor: string;
    /** Validates a value, at once or later. */
    readonly validate: (
      value: unknown,
    ) => StandardResult<Output> | Promise<StandardResult<Output>>;
    /** For the compiler alone. */
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

/** What a validation gives: the value, or what is wrong with the data. */
export type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly StandardIssue[] };

/** One thing that is wrong with the data. */
export interface StandardIssue {
  /** What is wrong. */
  readonly message: string;
  /** Where in the data. */
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

const SHOWN_ISSUES = 3;

/** @throws {TypeError} If an option is no schema, and not undefined. */
export function checkSchema(schema: unknown): void {
  const validate = (schema as Partial<StandardSchemaV1> | null | undefined)?.["~standard"]
    ?.validate;
  if (schema === undefined || typeof validate === "function") return;
  throw new TypeError("Cannot poll as 'schema' must be a Standard Schema, such as one of zod");
}

/**
 * What a schema makes of a value, at once if it can.
 *
 * @throws {Error} Of one line that names the first issues with their paths.
 */
export function validated<T>(schema: StandardSchemaV1<unknown, T>, value: unknown): T | Promise<T> {
  const result = schema["~standard"].validate(value);
  return result instanceof Promise ? result.then(valueOf) : valueOf(result);
}

function valueOf<T>(result: StandardResult<T>): T {
  const { issues } = result;
  if (issues === undefined) return result.value;
  const shown = issues.slice(0, SHOWN_ISSUES).map(({ message, path = [] }) => {
    const where = path.map((part) => String(typeof part === "object" ? part.key : part)).join(".");
    return where === "" ? message : `${where}: ${message}`;
  });
  const more = issues.length - shown.length;
  throw new Error(shown.join("; ") + (more > 0 ? `; and ${more} more` : ""));
}
