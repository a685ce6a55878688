/** Checks of options that stores have in common. */
import { checkPositive } from "../_errors/checks.ts";

/** Milliseconds that a request may take where no option says otherwise. */
const TIMEOUT = 60_000;

/** The timeout that a store was given, or the usual one. */
export function checkTimeout(store: string, timeout: unknown = TIMEOUT): number {
  checkPositive(`make a ${store}`, "timeout", timeout);
  return timeout;
}

/** The name that a store was given, or the one that it has by itself. */
export function checkStoreName(store: string, name: unknown, own: string): string {
  if (name === undefined) return own;
  if (typeof name === "string" && name !== "") return name;
  throw new TypeError(
    `Cannot make a ${store} as 'name' must be a string that is not empty: current value is of type ${typeof name}`,
  );
}
