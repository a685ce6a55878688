/** Makes items from the values that a list gives: by a schema, or by a function. */
import { isPromiseLike } from "../_bounds/user_callback.ts";
import { checkFunction } from "../_errors/checks.ts";
import { checkSchema, type StandardSchemaV1, validated } from "./standard_schema.ts";

/** How to make an item. At most one is set. */
export interface ItemValues<T> {
  readonly schema: StandardSchemaV1<unknown, T> | undefined;
  readonly parse: ((item: unknown) => T | PromiseLike<T>) | undefined;
}

/**
 * @param option The name of the user's option for the function.
 * @throws {TypeError} If one of them cannot be used, or both are set.
 */
export function checkItemValues({ schema, parse }: ItemValues<unknown>, option: string): void {
  checkSchema(schema);
  checkFunction("poll", option, parse);
  if (schema === undefined || parse === undefined) return;
  throw new TypeError(`Cannot poll as only one of 'schema' and '${option}' may be set`);
}

/**
 * Makes the items of a page from the values that the list gave.
 *
 * @param failed Makes the error for an item that is refused. It gets the index of the item in the page.
 */
export async function itemValues<T>(
  given: readonly unknown[],
  { schema, parse }: ItemValues<T>,
  failed: (place: number, thrown: unknown) => Error,
): Promise<readonly T[]> {
  // Without either, the caller says by `T` what the items are.
  if (schema === undefined && parse === undefined) return given as readonly T[];
  const items: T[] = [];
  for (const [place, item] of given.entries()) {
    try {
      const made = schema === undefined ? parse?.(item) : validated(schema, item);
      // Most schemas answer synchronously, and an `await` for each of a million items would take time.
      items.push((isPromiseLike(made) ? await made : made) as T);
    } catch (thrown) {
      throw failed(place, thrown);
    }
  }
  return items;
}
