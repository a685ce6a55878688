/** Checks the page size that a store was given. */
export function checkPageSize(store: string, pageSize: unknown, max: number): number | undefined {
  if (pageSize === undefined) return undefined;
  if (typeof pageSize !== "number") {
    throw new TypeError(
      `Cannot make a ${store} as 'pageSize' must be a number: current value is of type ${typeof pageSize}`,
    );
  }
  if (!Number.isInteger(pageSize) || pageSize < 1 || pageSize > max) {
    throw new RangeError(
      `Cannot make a ${store} as 'pageSize' must be a whole number from 1 to ${max}: current value is ${pageSize}`,
    );
  }
  return pageSize;
}
