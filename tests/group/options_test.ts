import { type GroupOptions, WatchGroup } from "@koprs/external";
import assert from "node:assert/strict";
import { test } from "node:test";
import { NamedSource } from "./_group.ts";

const made = (options: unknown) => () => new WatchGroup(options as GroupOptions);

test("W8: options that are wrong are refused by the constructor", () => {
  assert.throws(made(undefined), TypeError);
  assert.throws(made({}), TypeError);
  assert.throws(made({ interval: 0 }), RangeError);
  for (const option of ["polls", "pollsPerHost"]) {
    for (const value of [0, -1, 1.5, NaN, Infinity]) {
      assert.throws(made({ interval: 1, [option]: value }), RangeError, `${option}: ${value}`);
    }
    assert.throws(made({ interval: 1, [option]: "4" }), TypeError);
  }
  for (
    const [option, value] of [
      ["name", ""],
      ["owner", null],
      ["owner", { owns: () => true }],
      ["onStatus", "log"],
      ["telemetry", "none"],
      ["onError", 1],
      ["checkpoint", {}],
    ]
  ) {
    assert.throws(made({ interval: 1, [option as string]: value }), TypeError, String(option));
  }
});

test("W8: what is added is checked by add, and changes nothing if it is refused", async () => {
  const group = new WatchGroup<string>({ interval: 1 });
  const source = new NamedSource("a");
  assert.throws(() => group.add(source, { interval: 0 }), RangeError);
  assert.throws(() => group.add(source, null as never), TypeError);
  assert.throws(() => group.add({ name: "a" } as never), TypeError);
  assert.throws(() => group.add({ name: "", poll: source.poll }), TypeError);
  group.add(source);
  assert.equal(group.size, 1);
  await assert.rejects(group.remove("a", { report: "yes" as never }), TypeError);
  const other = new WatchGroup<string>({ interval: 1 });
  assert.throws(() => other.add(source), /is being watched already/);
  await group.cancel();
  other.add(source);
  await other.cancel();
});
