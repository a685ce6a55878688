import { type GroupOptions, WatchGroup } from "@koprs/external";
import assert from "node:assert/strict";
import { test } from "node:test";
import { settle } from "../watch/_watch.ts";
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
      ["name", 7],
      ["owner", null],
      ["owner", { owns: () => true }],
      ["owner", { owns: () => true, changes: [] }],
      ["owner", { changes: (async function* () {})() }],
      ["onStatus", "log"],
      ["telemetry", "none"],
      ["onError", 1],
      ["checkpoint", {}],
    ]
  ) {
    assert.throws(made({ interval: 1, [option as string]: value }), {
      name: "TypeError",
      message: new RegExp(`'${option}'`),
    });
  }
});

test("W8: what is added is checked by add, and changes nothing if it is refused", async () => {
  const group = new WatchGroup<string>({ interval: 1 });
  const source = new NamedSource("a");
  assert.throws(() => group.add(source, { interval: 0 }), RangeError);
  for (const options of [null, 1_000]) {
    assert.throws(() => group.add(source, options as never), {
      name: "TypeError",
      message: "Cannot add a source as the options must be an object",
    });
  }
  assert.throws(() => group.add({ name: "a" } as never), TypeError);
  assert.throws(() => group.add({ name: "", poll: source.poll }), TypeError);
  group.add(source);
  assert.equal(group.size, 1);
  for (const how of [{ report: "yes" }, { forget: "yes" }]) {
    await assert.rejects(group.remove("a", how as never), {
      name: "TypeError",
      message: "Cannot remove 'a' as 'report' and 'forget' must be true or false",
    });
  }
  const other = new WatchGroup<string>({ interval: 1 });
  assert.throws(() => other.add(source), /is being watched already/);
  await group.cancel();
  other.add(source);
  await other.cancel();
});

test("W8: a host that is no string is no host", async () => {
  const group = new WatchGroup<string>({ interval: 1, pollsPerHost: 1 });
  const source = new NamedSource("a");
  group.add(Object.assign(source, { host: 7 as never }));
  const read = group.getReader().read();
  while (!source.isAsked) await settle();
  await source.last.answer({ type: "added", item: "1" });
  assert.equal((await read).value?.item, "1");
  await group[Symbol.asyncDispose]();
});
