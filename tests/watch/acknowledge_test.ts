// W5: state is committed when the events were handled, and not before.
import { type ExternalSource, watchExternal } from "@koprs/external";
import assert from "node:assert/strict";
import { test } from "node:test";
import { added, begin, pending, settle, withWatch } from "./_watch.ts";

test("W5: events are committed when the one after the last is asked for, not before", () =>
  withWatch({}, async ({ source, reader, watch }) => {
    const first = reader.read();
    await settle();
    await source.last.answer(added("a"), added("b"));
    await first;
    await reader.read();
    await settle();
    assert.equal(source.commits, 0);
    assert.equal(await pending(watch.synced), true);
    begin(reader.read());
    await settle();
    assert.equal(source.commits, 1);
    await watch.synced;
  }));

test("W5: events not handled come again to the next watch of the source", async () => {
  const listing = ["a", "b", "c"];
  let committed = 0;
  const source: ExternalSource<string> = {
    name: "list",
    poll: () =>
      Promise.resolve((function* () {
        yield* listing.slice(committed).map(added);
        committed = listing.length;
      })()),
  };
  for (const read of [1, 2, 3]) {
    const seen: string[] = [];
    for await (const event of watchExternal(source, 1)) {
      seen.push(event.item);
      if (seen.length === read) break;
    }
    assert.deepEqual(seen, listing.slice(0, read));
    assert.equal(committed, 0, "even the last event was not followed by a read");
  }
});

test("W5: the events' iterator is told when a watch ends before it does", () =>
  withWatch({}, async ({ source, reader }) => {
    let cleanedUp = 0;
    function* events() {
      try {
        yield added("a");
        yield added("b");
      } finally {
        cleanedUp++;
      }
    }
    const first = reader.read();
    await settle();
    await source.last.answerWith(events());
    await first;
    await reader.cancel();
    assert.equal(cleanedUp, 1);
  }));
