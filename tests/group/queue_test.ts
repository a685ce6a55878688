import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Queue } from "../../_group/queue.ts";

test("a queue gives what was put in, in that order, however it grows and shrinks", () => {
  fc.assert(fc.property(fc.array(fc.integer({ min: -150, max: 150 })), (steps) => {
    const queue = new Queue<number>();
    const expected: number[] = [];
    let next = 0;
    for (const step of steps) {
      for (let i = 0; i < step; i++) {
        queue.push(next);
        expected.push(next++);
      }
      for (let i = 0; i > step; i--) assert.equal(queue.shift(), expected.shift());
      assert.equal(queue.size, expected.length);
    }
  }));
});
