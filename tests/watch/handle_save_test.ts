// Saving in the middle of a delivery that is handled.
import { watchExternal } from "@koprs/external";
import assert from "node:assert/strict";
import { test } from "node:test";
import { added, settle } from "./_watch.ts";

test("while a step is saved, a source of one's own is asked for no further event", async (t) => {
  let now = 1_000;
  t.mock.method(performance, "now", () => now);
  let asked = 0;
  const source = {
    name: "plain",
    poll: () =>
      Promise.resolve((function* () {
        for (const item of ["a", "b", "c"]) {
          asked++;
          yield added(item);
        }
      })()),
    save: () => new Uint8Array([asked]),
    restore() {},
  };
  const saves: (() => void)[] = [];
  const checkpoint = {
    load: () => Promise.resolve(undefined),
    save: () => new Promise<void>((resolve) => void saves.push(resolve)),
  };
  const watch = watchExternal(source, { interval: 60_000, checkpoint, logger: false });
  const seen: string[] = [];
  const done = watch.handle(({ item }) => {
    seen.push(item);
    now += 300;
  });
  await settle();
  saves[0]!(); // Of what is going to be reported.
  await settle();
  assert.deepEqual([seen, asked, saves.length], [["a"], 2, 2]);
  saves[1]!();
  await settle();
  assert.deepEqual(seen.slice(0, 2), ["a", "b"]);
  await watch[Symbol.asyncDispose]();
  await done;
});
