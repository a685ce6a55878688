// Gathering the chunks of a body.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Gatherer } from "../../_bytes/gather.ts";

test("chunks are put together in order, whatever room there is", () => {
  fc.assert(fc.property(
    fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 20 }),
    fc.option(fc.nat(100), { nil: undefined }),
    (chunks, expected) => {
      const gathered = new Gatherer(Infinity, expected);
      for (const chunk of chunks) assert(gathered.add(chunk));
      const whole = chunks.flatMap((chunk) => [...chunk]);
      assert.equal(gathered.length, whole.length);
      assert.deepEqual([...gathered.room.subarray(0, gathered.length)], whole);
      assert.deepEqual([...gathered.take()], whole);
    },
  ));
});

test("no chunk is kept", () => {
  const gathered = new Gatherer(10);
  const chunk = new Uint8Array([1, 2]);
  gathered.add(chunk);
  chunk.fill(9);
  gathered.add(chunk);
  assert.deepEqual([...gathered.take()], [1, 2, 9, 9]);
});

test("as many bytes as are allowed, and not one more", () => {
  const gathered = new Gatherer(3);
  assert(gathered.add(new Uint8Array(2)));
  assert(!gathered.add(new Uint8Array(2)), "nothing is taken of a chunk that is too long");
  assert(gathered.add(new Uint8Array(1)));
  assert(!gathered.add(new Uint8Array(1)));
  assert.equal(gathered.take().length, 3);
});

test("what is taken is of its own, also where a given array fits", () => {
  const room = new Uint8Array(2);
  const gathered = new Gatherer(10, room);
  gathered.add(new Uint8Array([1, 2]));
  assert.equal(gathered.room, room, "the array that was given is used");
  const taken = gathered.take();
  room.fill(9);
  assert.deepEqual([...taken], [1, 2]);
});

test("what was expected rightly is not copied again", () => {
  const gathered = new Gatherer(10, 2);
  gathered.add(new Uint8Array([1, 2]));
  assert.equal(gathered.take(), gathered.room);
});
