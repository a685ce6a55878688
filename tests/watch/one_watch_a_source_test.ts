// W9: a source object serves one live watch.
import { type ExternalWatch, watchExternal } from "@koprs/external";
import assert from "node:assert/strict";
import { test } from "node:test";
import { begin, ManualSource, settle } from "./_watch.ts";

test("W9: a second watch of one source is a TypeError, until the first has ended", async () => {
  const source = new ManualSource();
  const ends: ((watch: ExternalWatch<string>) => unknown)[] = [
    (watch) => watch.cancel(),
    (watch) => watch.close(),
    (watch) => watch[Symbol.asyncDispose](),
    (watch) => watch.values().return?.(),
  ];
  for (const end of ends) {
    const watch = watchExternal(source, 1);
    assert.throws(() => watchExternal(source, 1), {
      name: "TypeError",
      message: "Cannot watch 'manual' as this source object is being watched already: " +
        "end that watch first, or make a second source",
    });
    await end(watch);
  }
  const controller = new AbortController();
  watchExternal(source, { interval: 1, signal: controller.signal });
  controller.abort();
  const failed = watchExternal(source, {
    interval: 1,
    logger: false,
    onError() {
      throw new Error("enough");
    },
  }).getReader();
  const read = begin(failed.read());
  await settle();
  await source.last.fail();
  await assert.rejects(read, /enough/);
  watchExternal(source, 1);
});

test("W9: a signal aborted already leaves the source free", () => {
  const source = new ManualSource();
  watchExternal(source, { interval: 1, signal: AbortSignal.abort() });
  watchExternal(source, 1);
});
