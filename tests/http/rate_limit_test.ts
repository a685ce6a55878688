// P3: what an answer says of when to ask again.
import assert from "node:assert/strict";
import { test } from "node:test";
import { askedWait } from "../../_http/rate_limit.ts";
import { failure, pollerOf, serve } from "./_http_server.ts";

const timeout = 10_000;
const date = "Sun, 06 Nov 1994 08:49:37 GMT";
const now = Date.parse(date);

/** What an answer with these fields asks for; its own clock says `date`. */
function asked(status: number | undefined, fields: Record<string, string>) {
  const headers = new Headers({ date, ...fields });
  return askedWait(status, (name) => headers.get(name));
}

// Status, fields, milliseconds to wait, whether it is a rate limit.
const cases: [string, number, Record<string, string>, number | undefined, boolean][] = [
  ["nothing at all", 503, {}, undefined, false],
  ["Retry-After in seconds", 503, { "Retry-After": "120" }, 120_000, false],
  ["Retry-After as a date", 503, { "Retry-After": "Sun, 06 Nov 1994 08:50:37 GMT" }, 60_000, false],
  ["429 by itself", 429, {}, undefined, true],
  ["429 with Retry-After", 429, { "Retry-After": "7" }, 7_000, true],
  ["GitHub's secondary limit", 403, { "Retry-After": "60" }, 60_000, true],
  [
    "GitHub's primary limit",
    403,
    { "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": String(now / 1000 + 90) },
    90_000,
    true,
  ],
  ["a plain 403", 403, {}, undefined, false],
  [
    "something remains",
    403,
    { "X-RateLimit-Remaining": "3", "X-RateLimit-Reset": "90" },
    undefined,
    false,
  ],
  [
    "something remains of another limit than the one that answered",
    429,
    { "X-RateLimit-Remaining": "3", "X-RateLimit-Reset": "90" },
    undefined,
    true,
  ],
  ["429 without what remains", 429, { "X-RateLimit-Reset": "90" }, 90_000, true],
  ["a reset alone is no limit", 403, { "X-RateLimit-Reset": "90" }, undefined, false],
  [
    "seconds from now",
    503,
    { "RateLimit-Remaining": "0", "RateLimit-Reset": "30" },
    30_000,
    true,
  ],
  [
    "milliseconds since the epoch",
    429,
    { "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": String(now + 1_500) },
    1_500,
    true,
  ],
  [
    "seconds with a fraction",
    429,
    { "X-RateLimit-Remaining": "0", "X-RateLimit-Reset-After": "1.25" },
    1_250,
    true,
  ],
  [
    "X-Rate-Limit, as some spell it",
    429,
    { "X-Rate-Limit-Remaining": "0", "X-Rate-Limit-Reset": String(now / 1000 + 5) },
    5_000,
    true,
  ],
  [
    "Retry-After goes before a reset",
    429,
    { "Retry-After": "2", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "90" },
    2_000,
    true,
  ],
  [
    "a Retry-After of nothing does not",
    429,
    { "Retry-After": "0", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "90" },
    90_000,
    true,
  ],
  ["the draft's list", 403, { RateLimit: '"default";r=0;t=30' }, 30_000, true],
  [
    "the longest of those used up",
    503,
    { RateLimit: '"burst";r=0;t=2, "hour";r=0;t=900;pk=:cHVibGlj:, "day";r=17;t=50000' },
    900_000,
    true,
  ],
  ["a list in which something remains", 403, { RateLimit: '"default";r=1;t=30' }, undefined, false],
  [
    "the older draft's dictionary",
    429,
    { RateLimit: "limit=10, remaining=0, reset=30" },
    30_000,
    true,
  ],
  ["nothing remains, no reset", 403, { RateLimit: '"default";r=0' }, undefined, true],
];

for (const [what, status, fields, retryAfter, limited] of cases) {
  test(`P3: ${what}`, () => {
    const wait = asked(status, fields);
    assert.equal(wait.retryAfter, retryAfter);
    assert.equal(wait.rateLimit !== undefined, limited);
  });
}

test("P3: a time since the epoch is measured against the answer's clock, or else ours", (t) => {
  t.mock.timers.enable({ apis: ["Date"], now: now + 40_000 });
  const reset = String(now / 1000 + 90);
  const fields = { "x-ratelimit-remaining": "0", "x-ratelimit-reset": reset };
  assert.equal(asked(403, fields).retryAfter, 90_000);
  assert.equal(asked(403, { ...fields, date: "yesterday" }).retryAfter, 50_000);
});

test("P3: garbage changes nothing", () => {
  const resets = [
    "",
    "-5",
    "+5",
    "0x10",
    "1e3",
    "soon",
    "5 s",
    "0",
    "NaN",
    "Infinity",
    "5,5",
    "9".repeat(400),
    String(now / 1000 - 5),
    String(now - 5_000),
    "40000000",
    "1994-11-06T08:50:37Z",
  ];
  for (const reset of resets) {
    for (const family of ["RateLimit", "X-RateLimit", "X-Rate-Limit"]) {
      const wait = asked(503, { [`${family}-Remaining`]: "0", [`${family}-Reset`]: reset });
      assert.equal(wait.retryAfter, undefined, `${family}-Reset: ${reset}`);
    }
  }
  for (const remaining of ["", "zero", "-0", "0x0", "00 0", "none", "0,0"]) {
    const wait = asked(503, { "X-RateLimit-Remaining": remaining, "X-RateLimit-Reset": "30" });
    assert.deepEqual(wait, {}, `remaining ${remaining}`);
  }
  const lists = [
    '"default";r=0;t=30;',
    'default;r=0;t=30"',
    '"default" r=0 t=30',
    '"default";r=0;t=-30',
    ";r=0",
    "r=0;t=30",
    '"default";r=0;t=30 "x"',
    '"default";R=0;t=30',
    "remaining=0 reset=30",
    '"a";r=0;t=30;x='.padEnd(2_000, "1"),
    '"a";r=0;t=30, '.repeat(100),
    "{}",
    "=",
    ",",
  ];
  for (const list of lists) {
    assert.deepEqual(asked(503, { RateLimit: list }), {}, list.slice(0, 50));
  }
});

test("P3: the error names the rate limit, and carries the wait", { timeout }, async (t) => {
  const server = await serve(t, (_, response, nth) => {
    if (nth === 1) {
      response.setHeader("X-RateLimit-Remaining", "0").setHeader("X-RateLimit-Reset", "1800");
      response.writeHead(403).end();
    } else response.writeHead(429).end();
  });
  const poller = pollerOf(server);
  const limited = await failure(poller);
  assert.equal(limited.code, "status");
  assert.equal(limited.retryAfter, 1_800_000);
  assert.match(
    limited.message,
    /the server answered 403: its rate limit is used up, and resets in 1800 s$/,
  );
  const bare = await failure(poller);
  assert.equal(bare.retryAfter, undefined);
  assert.match(
    bare.message,
    /the server answered 429: its rate limit is used up: poll less often$/,
  );
});
