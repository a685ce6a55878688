import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Fifo } from "../../_group/fifo.ts";

test("a queue gives what was put in, in that order, however it grows and shrinks", () => {
  fc.assert(fc.property(fc.array(fc.integer({ min: -150, max: 150 })), (steps) => {
    const fifo = new Fifo<number>();
    const expected: number[] = [];
    let next = 0;
    for (const step of steps) {
      for (let i = 0; i < step; i++) {
        fifo.push(next);
        expected.push(next++);
      }
      for (let i = 0; i > step; i--) assert.equal(fifo.shift(), expected.shift());
      assert.equal(fifo.size, expected.length);
    }
  }));
});
