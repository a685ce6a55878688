// CollectionPoller: options that cannot be used (W8).
import assert from "node:assert/strict";
import { test } from "node:test";
import { CollectionPoller } from "@koprs/external";

const good = { name: "items", async *list() {}, key: () => "" };
const removed = () => ({});

test("misuse throws from the constructor", () => {
  const bad: [Record<string, unknown>, typeof TypeError | typeof RangeError, RegExp][] = [
    [{ name: undefined }, TypeError, /'name' must be a string that is not empty/],
    [{ name: "" }, TypeError, /'name' must be a string that is not empty/],
    [{ name: 7 }, TypeError, /'name' must be a string that is not empty/],
    [{ name: "a\nb" }, TypeError, /'a\\nb' as 'name' must be one line of plain text/],
    [{ name: "a\x1b[2J" }, TypeError, /'a\\x1b\[2J' as 'name' must be one line/],
    [{ name: "\u202eabc" }, TypeError, /'name' must be one line/],
    [{ name: "a\0" }, TypeError, /'name' must be one line/],
    [{ list: undefined }, TypeError, /'list' must be a function/],
    [{ list: [] }, TypeError, /'list' must be a function/],
    [{ key: undefined }, TypeError, /'key' must be a function/],
    [{ key: "id" }, TypeError, /'key' must be a function/],
    [{ version: "revision" }, TypeError, /'version' must be a function/],
    [{ version: null }, TypeError, /'version' must be a function/],
    [{ remember: "all" }, TypeError, /'remember' must be "json" or "version"/],
    [{ remember: "version" }, TypeError, /needs the functions 'version' and 'removed'/],
    [{ remember: "version", removed }, TypeError, /needs the functions 'version' and 'removed'/],
    [{ remember: "version", version: () => "" }, TypeError, /needs the functions/],
    [{ remember: "version", version: () => "", removed: {} }, TypeError, /needs the functions/],
    [{ removed }, TypeError, /'removed' is for 'remember: "version"'/],
    [{ maxRemoved: NaN }, RangeError, /'maxRemoved'/],
    [{ maxRemoved: 1.5 }, RangeError, /'maxRemoved'/],
    [{ maxRemoved: -1 }, RangeError, /'maxRemoved'/],
    [{ maxRemoved: "1" }, TypeError, /'maxRemoved'/],
  ];
  for (const [options, kind, message] of bad) {
    assert.throws(() => new CollectionPoller({ ...good, ...options } as typeof good), (error) => {
      assert(error instanceof kind, `${JSON.stringify(options)}: ${error}`);
      assert.match(error.message, /^Cannot poll .*[^.]$/);
      assert.match(error.message, message);
      return true;
    });
  }
  new CollectionPoller({ ...good, version: undefined, maxRemoved: 0.5 } as typeof good);
});
