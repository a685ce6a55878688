// The line before a state that tells whose it is.
import assert from "node:assert/strict";
import { test } from "node:test";
import { textBytes } from "../../_bytes/exact_text.ts";
import { frame, type Head, join, mayBeHead, unframe } from "../../_state/owner_line.ts";

const LONGEST = 1024 * 1024;
const state = Uint8Array.of(1, 10, 2);
const text = (line: string) => join(textBytes(line), state);

test("a line and its state are told apart, whatever the line says", () => {
  const heads: Head[] = [
    { key: "a" },
    { key: "" },
    { key: 'a\nb "c" \ud800', mark: "w/1" },
    { key: "a", mark: "", empty: true },
  ];
  for (const head of heads) {
    const bytes = join(frame(head), state);
    assert.deepEqual(unframe(bytes), { head, state });
    assert.deepEqual(unframe(bytes, head.key), { head, state });
    assert.equal(unframe(bytes).state.buffer, bytes.buffer, "a view of the same memory");
  }
  assert.deepEqual(unframe(frame({ key: "a" })).state, new Uint8Array());
  assert.equal(new TextDecoder().decode(frame({ key: "a" })), 'koprs-checkpoint {"key":"a"}\n');
});

test("the line of another key is left in the state, for the source to refuse", () => {
  const bytes = join(frame({ key: "a" }), state);
  for (const key of ["b", ""]) assert.deepEqual(unframe(bytes, key), { state: bytes });
});

test("bytes without such a line are all state", () => {
  for (
    const bytes of [
      new Uint8Array(),
      state,
      textBytes("koprs"),
      textBytes("koprs-checkpoint "),
      textBytes('koprs-checkpoint {"key":"a"}'),
      text('koprs-checkpoinT {"key":"a"}\n'),
      text('x-koprs-checkpoint {"key":"a"}\n'),
      text('koprs-checkpoint {"key":"a"\n'),
      text("koprs-checkpoint null\n"),
      text("koprs-checkpoint {}\n"),
      text('koprs-checkpoint {"key":7}\n'),
    ]
  ) {
    assert.deepEqual(unframe(bytes), { state: bytes });
  }
});

test("of a line only what has the right type is read", () => {
  const bytes = text('koprs-checkpoint {"key":"a","mark":7,"empty":1,"more":true}\n');
  assert.deepEqual(unframe(bytes), { head: { key: "a" }, state });
});

test("a line has at most 1 MiB", () => {
  const head = (length: number) => {
    const bytes = frame({ key: "x".repeat(length - frame({ key: "" }).length) });
    assert.equal(bytes.length, length);
    return bytes;
  };
  assert.equal(unframe(head(LONGEST)).state.length, 0);
  assert.equal(unframe(head(LONGEST + 1)).head, undefined);
});

test("the beginning of a line is known by its first bytes, until it is too long", () => {
  const line = frame({ key: "a" });
  for (let length = 0; length < line.length; length++) {
    assert.ok(mayBeHead(line.subarray(0, length)), `${length} bytes`);
    if (length < 17) assert.ok(!mayBeHead(join(line.subarray(0, length), state)));
  }
  const long = frame({ key: "x".repeat(LONGEST) });
  assert.ok(mayBeHead(long.subarray(0, LONGEST - 1)));
  assert.ok(!mayBeHead(long.subarray(0, LONGEST)));
});
