/** The interface of Standard Schema (https://standardschema.dev), version 1, which many validation libraries share. */

/** A schema of zod, valibot, arktype or any other library that follows Standard Schema. */
export interface StandardSchemaV1<Input = unknown, Output = Input> {
  /** The properties that Standard Schema defines. */
  readonly "~standard": {
    /** The version of the interface. */
    readonly version: 1;
    /** The name of the library. */
    readonly vendor: string;
    /** Validates a value, synchronously or asynchronously. */
    readonly validate: (
      value: unknown,
    ) => StandardResult<Output> | Promise<StandardResult<Output>>;
    /** The types of the schema. Only for the compiler: it has no value at run time. */
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

/** The result of a validation: the value, or what is wrong with the data. */
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

/** @throws {TypeError} If the value is neither a schema nor undefined. */
export function checkSchema(schema: unknown): void {
  const validate = (schema as Partial<StandardSchemaV1> | null | undefined)?.["~standard"]
    ?.validate;
  if (schema === undefined || typeof validate === "function") return;
  throw new TypeError("Cannot poll as 'schema' must be a Standard Schema, such as one of zod");
}

/**
 * Validates a value with a schema: synchronously, if the schema does so.
 *
 * @throws {Error} If the value is not valid. The message is one line, with the first issues and their paths.
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
