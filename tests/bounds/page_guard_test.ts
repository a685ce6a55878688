// Listings whose pages do not end, or are too large.
import assert from "node:assert/strict";
import { test } from "node:test";
import { MAX_PAGE_BYTES, PageGuard, pageTooLarge } from "../../_bounds/page_guard.ts";

const fault = (what: string) => new Error(what);

test("a token that comes a second time ends the listing", () => {
  const guard = new PageGuard(fault);
  for (const token of ["a", "b", ""]) guard.next(token, true);
  for (const token of ["a", ""]) {
    assert.throws(() => guard.next(token, true), {
      message: "the server gave a page token a second time",
    });
  }
});

test("so many pages in a row without anything new end the listing", () => {
  const guard = new PageGuard(fault, 3);
  let token = 0;
  const next = (brought: boolean) => guard.next(String(++token), brought);
  for (const brought of [false, false, true, false, false]) next(brought);
  assert.throws(() => next(false), { message: "3 pages in a row brought nothing new" });
  const usual = new PageGuard(fault);
  for (let page = 1; page < 10_000; page++) usual.next(String(page), false);
  assert.throws(() => usual.next("last", false), /^Error: 10000 pages in a row/);
});

test("a page that is too large is told with its source", () => {
  const error = pageTooLarge("s3://b");
  assert.equal(error.code, "too-large");
  assert.equal(error.source, "s3://b");
  assert.ok(
    error.message.startsWith(`Cannot list 's3://b' as a page has more than ${MAX_PAGE_BYTES}`),
  );
});
