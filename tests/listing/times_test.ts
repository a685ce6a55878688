// Times in listings, read from bytes.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { httpTime, isoTime } from "../../_listing/times.ts";

/** Read out of the middle of other bytes, which must not matter. */
function reader(read: typeof isoTime): (text: string) => number {
  return (text) => {
    const bytes = new TextEncoder().encode(`1${text}0Z00`);
    return read(bytes, 1, bytes.length - 4);
  };
}

const iso = reader(isoTime);
const http = reader(httpTime);

const dates = fc.date({
  min: new Date("0000-01-01"),
  max: new Date("9999-12-31"),
  noInvalidDate: true,
});

test("every time of RFC 3339 is exact", () => {
  fc.assert(fc.property(dates, (date) => assert.equal(iso(date.toISOString()), date.getTime())));
  const time = Date.UTC(2026, 10, 23, 4, 5, 6);
  const forms: [string, number][] = [
    ["2026-11-23T04:05:06Z", time],
    ["2026-11-23T04:05:06.7Z", time + 700],
    ["2026-11-23T04:05:06.78Z", time + 780],
    ["2026-11-23T04:05:06.7899999Z", time + 789],
    ["2026-11-23T05:05:06+01:00", time],
    ["2026-11-22T22:35:06.001-05:30", time + 1],
  ];
  for (const [text, expected] of forms) assert.equal(iso(text), expected, text);
});

test("every date of HTTP is exact", () => {
  fc.assert(fc.property(dates, (date) => {
    const seconds = Math.floor(date.getTime() / 1000) * 1000;
    assert.equal(http(new Date(seconds).toUTCString()), seconds);
  }));
  const time = Date.UTC(1994, 10, 6, 8, 49, 37);
  for (
    const text of [
      "Sun, 06 Nov 1994 08:49:37 GMT",
      "Sunday, 06-Nov-94 08:49:37 GMT",
      "Sun Nov  6 08:49:37 1994",
    ]
  ) assert.equal(http(text), time, text);
});

test("whatever is no time is none", () => {
  const wrong = [
    ...["", "-1", "1.5", "yesterday", "2026-11-23", "2026-11-23T04:05Z", "2026-11-23 04:05:06Z"],
    ...[
      "2026-13-01T00:00:00Z",
      "2026-00-01T00:00:00Z",
      "2026-02-29T00:00:00Z",
      "1900-02-29T00:00:00Z",
    ],
    ...[
      "2026-11-31T00:00:00Z",
      "2026-11-00T00:00:00Z",
      "2026-11-23T24:00:00Z",
      "2026-11-23T04:60:00Z",
    ],
    ...[
      "2026-11-23T04:05:60Z",
      "2026-11-23T04:05:06",
      "2026-11-23T04:05:06.Z",
      "2026-11-23T04:05:06z",
    ],
    ...["2026-11-23T04:05:06+0100", "2026-11-23T04:05:06+24:00", "2026-11-23T04:05:06+01:60"],
    ...[
      "2026-11-23T04:05:06ZZ",
      "+026-11-23T04:05:06Z",
      "2026/11/23T04:05:06Z",
      " 2026-11-23T04:05:06Z",
    ],
  ];
  for (const text of wrong) assert.equal(iso(text), NaN, text);
  const wrongDates = [
    ...[
      "",
      "0",
      "Mon, 23 Nov 2026",
      "Mon, 31 Feb 2026 04:05:06 GMT",
      "Mon, 23 nov 2026 04:05:06 GMT",
    ],
    ...[
      "Mon, 23 Nov 2026 24:05:06 GMT",
      "Mon, 23 Nov 2026 04:05:06 UTC",
      "Mon; 23 Nov 2026 04:05:06 GMT",
    ],
    ...[
      "Mon, 23 Nov 2026 04.05:06 GMT",
      "Mon, 00 Nov 2026 04:05:06 GMT",
      "Mo4, 23 Nov 2026 04:05:06 GMT",
      "Mon, 23 Nob 2026 04:05:06 GMT",
    ],
  ];
  for (const text of wrongDates) assert.equal(http(text), NaN, text);
});
