/** Callbacks of users: they return a value or a promise of one, and may throw or reject. */

export function isPromiseLike(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as Partial<PromiseLike<unknown>> | null | undefined)?.then === "function";
}

/** Calls a callback of the user. What it throws, or rejects with, goes to `onThrow`. */
export function callBack(callback: () => unknown, onThrow: (thrown: unknown) => void): void {
  try {
    const result = callback();
    if (isPromiseLike(result)) result.then(undefined, onThrow);
  } catch (thrown) {
    onThrow(thrown);
  }
}
