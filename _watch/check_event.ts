/** Checks the events that a source gives: users write sources of their own. */
import type { ExternalEvent } from "../_diff/source.ts";
import { kindOf } from "../_errors/kind_of.ts";

/** Whether this is an event. It costs little, as it is called for every event. */
export function isEvent(event: ExternalEvent<unknown>): boolean {
  switch (event?.type) {
    case "added":
    case "modified":
    case "removed":
      return event.item !== undefined || "item" in event;
    default:
      return false;
  }
}

/** The error for a value that is no event. `nth` is its number in the poll, counted from 1. */
export function eventFault(event: unknown, nth: number): TypeError {
  const its = `event ${nth} of its poll`;
  if (typeof event !== "object" || event === null) {
    return new TypeError(`${its} is not an object but ${kindOf(event)}`);
  }
  const { type } = event as { readonly type?: unknown };
  if (type !== "added" && type !== "modified" && type !== "removed") {
    const found = typeof type === "string" ? JSON.stringify(type) : kindOf(type);
    return new TypeError(
      `the 'type' of ${its} must be "added", "modified" or "removed": it is ${found}`,
    );
  }
  return new TypeError(`${its} has no 'item'`);
}
