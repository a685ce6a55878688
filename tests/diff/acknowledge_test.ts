// The acknowledgement of single events tells the tracker, whether or not an event can be made without a poll.
import assert from "node:assert/strict";
import { test } from "node:test";
import { acknowledge } from "../../_diff/acknowledgement_of.ts";
import { objectCodec } from "../../_diff/object_identity.ts";
import type { Change } from "../../_diff/snapshot.ts";
import type { ExternalEvent } from "../../_diff/source.ts";
import { Tracker } from "../../_diff/tracker.ts";
import type { ObjectMeta } from "../../store.ts";
import { build } from "./_objects.ts";

const each = { each: true } as const;
const listing = (size: number) => build(["a", "b"].map((key) => ({ key, size })));

/** A tracker whose two items were handed out, and its acknowledgement. */
function handedOut(eventOf?: (change: Change<ObjectMeta>) => ExternalEvent<string>) {
  const identity = '["objects","s3://data",""]';
  const options = { name: "mine", identity, codec: objectCodec, build, maxRemoved: 1 };
  const tracker = new Tracker<ObjectMeta>(options);
  const keyOf = ({ item }: ExternalEvent<string>) => item.slice(0, 1);
  for (const _ of tracker.deliver(listing(1), each));
  return { tracker, acknowledgement: acknowledge<string, ObjectMeta>(tracker, keyOf, eventOf) };
}

test("an item that is asked for again is an event in its newest state", () => {
  const { tracker, acknowledgement } = handedOut(({ type, item }) => ({
    type,
    item: item.key + item.size,
  }));
  assert.equal(acknowledgement.keyOf({ type: "added", item: "a1" }), "a");
  acknowledgement.handled("a");
  acknowledgement.setAside("b");
  assert.deepEqual([...acknowledgement.asideKeys()], ["b"]);
  for (const _ of tracker.deliver(listing(2), each));
  assert.deepEqual(acknowledgement.again("b"), { type: "added", item: "b2" });
  assert.equal(acknowledgement.again("b"), undefined, "it is out");
});

test("where only a poll can make the event, the next one reports it", () => {
  const { tracker, acknowledgement } = handedOut();
  acknowledgement.handled("a");
  acknowledgement.setAside("b");
  assert.equal(acknowledgement.again("b"), undefined);
  assert.deepEqual([...tracker.deliver(listing(1), each)].map(({ item }) => item.key), ["b"]);
});
