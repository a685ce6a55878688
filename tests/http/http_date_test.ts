// HTTP-dates are read strictly, and so is Retry-After.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseHttpDate, parseRetryAfter } from "../../_http/http_date.ts";

const EXAMPLE = Date.UTC(1994, 10, 6, 8, 49, 37);

test("the three forms of an HTTP-date", () => {
  assert.equal(parseHttpDate("Sun, 06 Nov 1994 08:49:37 GMT"), EXAMPLE);
  assert.equal(parseHttpDate("Sunday, 06-Nov-94 08:49:37 GMT"), EXAMPLE);
  assert.equal(parseHttpDate("Sun Nov  6 08:49:37 1994"), EXAMPLE);
  assert.equal(parseHttpDate("Sun Nov 16 08:49:37 1994"), EXAMPLE + 10 * 86_400_000);
});

test("what toUTCString writes is read back, to the second", () => {
  fc.assert(fc.property(
    fc.integer({ min: Date.UTC(1000, 0), max: Date.UTC(9999, 11, 31) }),
    (ms) => parseHttpDate(new Date(ms).toUTCString()) === Math.floor(ms / 1000) * 1000,
  ));
});

test("a leap second rolls over", () => {
  assert.equal(parseHttpDate("Sat, 31 Dec 2016 23:59:60 GMT"), Date.UTC(2017, 0, 1));
});

test("a year of two digits is at most 50 years ahead", () => {
  const year = new Date().getUTCFullYear();
  for (const ahead of [-49, -1, 0, 1, 50]) {
    const full = year + ahead;
    const text = `Monday, 01-Jan-${String(full % 100).padStart(2, "0")} 00:00:00 GMT`;
    assert.equal(parseHttpDate(text), Date.UTC(full, 0, 1), text);
  }
});

test("everything else is no date", () => {
  const garbage = [
    "",
    " ",
    "0",
    "-1",
    "1.5",
    "1e3",
    "now",
    "tomorrow",
    "1994",
    "1994-11-06",
    "1994-11-06T08:49:37Z",
    "Sun, 06 Nov 1994 08:49:37",
    "Sun, 06 Nov 1994 08:49:37 UTC",
    "Sun, 06 Nov 1994 08:49:37 +0000",
    "Sun, 06 Nov 1994 08:49:37 gmt",
    "sun, 06 Nov 1994 08:49:37 GMT",
    "Sun, 06 nov 1994 08:49:37 GMT",
    "Sun, 6 Nov 1994 08:49:37 GMT",
    "Sun,06 Nov 1994 08:49:37 GMT",
    "06 Nov 1994 08:49:37 GMT",
    "Sun, 31 Feb 2024 00:00:00 GMT",
    "Sun, 30 Feb 2024 00:00:00 GMT",
    "Sun, 29 Feb 2023 00:00:00 GMT",
    "Sun, 31 Apr 2024 00:00:00 GMT",
    "Sun, 00 Nov 1994 08:49:37 GMT",
    "Sun, 32 Dec 1994 08:49:37 GMT",
    "Sun, 06 Foo 1994 08:49:37 GMT",
    "Sun, 06 Nov 1994 24:00:00 GMT",
    "Sun, 06 Nov 1994 08:60:37 GMT",
    "Sun, 06 Nov 1994 08:49:61 GMT",
    "Sun, 06 Nov 0094 08:49:37 GMT",
    "Sun, 06 Nov 94 08:49:37 GMT",
    "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
    "Sun, 06 Nov 1994 08:49:37 GMT;",
    "Sun, 06-Nov-1994 08:49:37 GMT",
    "Sun Nov 06 08:49:37 1994 GMT",
    "\u0661994",
  ];
  for (const text of garbage) assert.equal(parseHttpDate(text), undefined, text);
  assert.equal(parseHttpDate(null), undefined);
  fc.assert(fc.property(fc.string(), (text) => parseHttpDate(text) === undefined));
});

function retryAfter(value: string, date?: string): number | undefined {
  return parseRetryAfter(new Headers({ "retry-after": value, ...(date && { date }) }));
}

test("Retry-After in seconds", () => {
  assert.equal(retryAfter("1"), 1_000);
  assert.equal(retryAfter("120"), 120_000);
  assert.equal(retryAfter("0120"), 120_000);
  assert.equal(retryAfter(" 5 "), 5_000, "blanks around a field value are not of it");
  assert.equal(retryAfter("99999999999"), 99_999_999_999_000);
  assert((retryAfter("9".repeat(400)) ?? 0) > 1e300);
});

test("Retry-After as a date counts from the server's own Date", () => {
  const date = "Sun, 06 Nov 1994 08:49:37 GMT"; // Decades off the clock here.
  assert.equal(retryAfter("Sun, 06 Nov 1994 08:50:07 GMT", date), 30_000);
  assert.equal(retryAfter("Sunday, 06-Nov-94 08:49:38 GMT", date), 1_000);
  assert.equal(retryAfter(date, date), undefined);
  assert.equal(retryAfter("Sun, 06 Nov 1994 08:49:36 GMT", date), undefined);
});

test("Retry-After as a date counts from now if the answer has no Date that can be read", () => {
  for (const date of [undefined, "yesterday", "-1"]) {
    const wait = retryAfter(new Date(Date.now() + 60_000).toUTCString(), date) ?? 0;
    assert(wait > 50_000 && wait <= 60_000, String(wait));
    assert.equal(retryAfter("Sun, 06 Nov 1994 08:50:07 GMT", date), undefined);
  }
});

test("Retry-After: zero and garbage ask for nothing", () => {
  for (
    const value of [
      "0",
      "00",
      "-1",
      "+1",
      "1.5",
      "1e3",
      "0x10",
      "1s",
      "1 2",
      "1, 2",
      "soon",
      "",
      "NaN",
      "Infinity",
      "Sun, 06 Nov 2094",
      "2094-11-06T08:49:37Z",
      "\u00bd",
    ]
  ) assert.equal(retryAfter(value), undefined, value);
  assert.equal(parseRetryAfter(new Headers()), undefined);
  const doubled = new Headers([["retry-after", "5"], ["retry-after", "6"]]);
  assert.equal(parseRetryAfter(doubled), undefined);
});
