/** Connects the acknowledgement of single events to the tracker of a listing. */
import type { Change } from "./snapshot.ts";
import type { Acknowledgement, ExternalEvent } from "./source.ts";
import type { Tracker } from "./tracker.ts";

/**
 * The acknowledgement of a tracker.
 *
 * @param keyOf The key of an event that the poller handed out.
 * @param eventOf Makes the event of a change. Undefined if only a poll can make it: then the next poll reports the key.
 */
export function acknowledge<T, V extends { readonly key: string }>(
  tracker: Tracker<V>,
  keyOf: (event: ExternalEvent<T>) => string,
  eventOf: ((change: Change<V>) => ExternalEvent<T>) | undefined,
): Acknowledgement<T> {
  return {
    keyOf,
    handled: (key) => tracker.handled(key),
    setAside: (key) => tracker.setAside(key),
    again(key) {
      if (eventOf === undefined) {
        tracker.putBack(key);
        return undefined;
      }
      const change = tracker.again(key);
      return change && eventOf(change);
    },
    asideKeys: () => tracker.asideKeys(),
  };
}
