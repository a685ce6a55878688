// The items that were handed out and are not handled yet, by their states.
import assert from "node:assert/strict";
import { test } from "node:test";
import { OpenItems } from "../../_diff/open_items.ts";

interface Value {
  readonly key: string;
  readonly n: number;
}

/** One item in each state, with its key. */
function open(): OpenItems<Value> {
  const items = new OpenItems<Value>();
  for (const state of ["out", "aside", "due", "settled"] as const) {
    items.put({ key: state, n: 2 }, state === "out" ? undefined : { key: state, n: 1 });
    (items.get(state) as { state: string }).state = state;
  }
  return items;
}

test("what was set aside is told by its keys, also where the next poll will report it", () => {
  assert.deepEqual([...open().aside()], ["aside", "due"]);
});

test("what was told is in doubt, and no longer once it is settled", () => {
  const items = open();
  assert.deepEqual([...items.told()], [
    ["out", { key: "out", n: 2 }],
    ["aside", { key: "aside", n: 2 }],
    ["due", { key: "due", n: 2 }],
    ["settled", undefined],
  ]);
  assert.deepEqual([...items.handled()].map(([key, value]) => [key, value?.n]), [
    ["out", undefined],
    ["aside", 1],
    ["due", 1],
    ["settled", 1],
  ]);
});

test("items are taken by their states, and are gone then", () => {
  const items = open();
  assert.deepEqual([...items.take("due", "out").told().keys()], ["out", "due"]);
  assert.deepEqual([...items.told().keys()], ["aside", "settled"]);
  items.delete("settled");
  assert.ok(items.has("aside") && !items.has("settled"));
  items.clear();
  assert.deepEqual([...items.told()], []);
});
