// How often a server asks to be polled: which fields are heeded, how they are read, and how far a wait goes.
import { CollectionPoller, HttpPoller, jsonPages, watchExternal } from "@koprs/external";
import type { CadenceField, HttpPollerOptions } from "@koprs/external/http";
import assert from "node:assert/strict";
import { test } from "node:test";
import { begin, ManualSource, settle, START, withClock } from "../watch/_watch.ts";
import { type Scope, serve } from "./_http_server.ts";

const ALL: readonly CadenceField[] = ["cache-control", "rate-limit", "x-poll-interval"];

/** What a poller is asked for by an answer with these headers. */
async function asked(
  scope: Scope,
  headers: Record<string, string>,
  options: HttpPollerOptions = {},
): Promise<number[]> {
  const server = await serve(scope, (_, response) => response.writeHead(200, headers).end("x"));
  const waits: number[] = [];
  const { signal } = new AbortController();
  const onCadence = (wait: number) => void waits.push(wait);
  await new HttpPoller(server.origin, options).poll({ signal, onCadence });
  return waits;
}

test("X-Poll-Interval and a used-up rate limit are heeded by default, max-age is not", async (t) => {
  assert.deepEqual(await asked(t, { "x-poll-interval": "60" }), [60_000]);
  assert.deepEqual(await asked(t, { "ratelimit-remaining": "0", "ratelimit-reset": "30" }), [
    30_000,
  ]);
  assert.deepEqual(await asked(t, { "ratelimit": '"default";r=0;t=20' }), [20_000]);
  assert.deepEqual(await asked(t, { "ratelimit-remaining": "5", "ratelimit-reset": "30" }), []);
  assert.deepEqual(await asked(t, { "cache-control": "max-age=60" }), []);
});

test("each field is read where it is named, and the longest wait counts", async (t) => {
  const headers = {
    "x-poll-interval": "60",
    "ratelimit-remaining": "0",
    "ratelimit-reset": "30",
    "cache-control": "public, max-age=90",
  };
  assert.deepEqual(await asked(t, headers, { cadence: ALL }), [90_000]);
  assert.deepEqual(await asked(t, headers, { cadence: ["rate-limit"] }), [30_000]);
  assert.deepEqual(await asked(t, headers, { cadence: [] }), []);
});

test("max-age is read less the age, and not where it does not hold", async (t) => {
  const cadence = ALL;
  const of = (control: string, age?: string) =>
    asked(t, { "cache-control": control, ...(age !== undefined && { age }) }, { cadence });
  assert.deepEqual(await of("max-age=90", "30"), [60_000]);
  assert.deepEqual(await of('Max-Age="90"'), [90_000]);
  const none = [
    "max-age=90, no-cache",
    "no-store,max-age=90",
    "max-age=0",
    "max-age=-1",
    "s-maxage=9",
  ];
  for (const control of [...none, "max-age=1e3", "max-age=90, max-age=60", "max-age"]) {
    assert.deepEqual(await of(control), [], control);
  }
  assert.deepEqual(await of("max-age=90", "90"), []);
});

test("what is no number is not heeded", async (t) => {
  for (const seconds of ["", "soon", "-5", "1.5", "0", "99999999999"]) {
    assert.deepEqual(await asked(t, { "x-poll-interval": seconds }), [], seconds);
  }
});

test("pages are heeded, too, and answers that nothing changed", async (t) => {
  const server = await serve(t, (_, response, nth) => {
    const headers = { etag: '"1"', "x-poll-interval": String(nth * 10) };
    response.writeHead(nth === 1 ? 200 : 304, headers).end(nth === 1 ? "[]" : undefined);
  });
  const list = jsonPages<string>(server.origin);
  const poller = new CollectionPoller({ name: "pages", list, key: String });
  const waits: number[] = [];
  const { signal } = new AbortController();
  for (let i = 0; i < 2; i++) {
    [...await poller.poll({ signal, onCadence: (wait) => void waits.push(wait) })];
  }
  assert.deepEqual(waits, [10_000, 20_000]);
});

test("a wrong list is refused by the call itself", () => {
  for (const cadence of ["cache-control", ["max-age"], [1], {}]) {
    const options = { cadence } as unknown as HttpPollerOptions;
    assert.throws(() => new HttpPoller("http://localhost", options), TypeError);
    assert.throws(() => jsonPages("http://localhost", options), TypeError);
  }
});

for (
  const [what, options, wait, until] of [
    ["is lengthened", {}, 300, 300],
    ["is never shortened", {}, 50, 100],
    ["goes up to 'maxBackoff' where that is set", { maxBackoff: 1_000 }, 5_000, 1_000],
    ["goes up to a day where it is not", {}, 10 ** 9, 86_400_000],
    ["is lengthened by jitter, too", { jitter: 1 }, 300, undefined],
  ] as const
) {
  test(`the wait after a good poll ${what}`, () =>
    withClock(async (clock) => {
      class Asking extends ManualSource {
        override poll(options: Parameters<ManualSource["poll"]>[0]) {
          if (this.polls.length === 0) {
            for (const asked of [wait, 1, NaN]) options.onCadence?.(asked);
          }
          return super.poll(options);
        }
      }
      const source = new Asking();
      const watch = watchExternal(source, {
        interval: 100,
        jitter: 0,
        logger: false,
        ...options,
      });
      const reader = watch.getReader();
      begin(reader.read());
      await settle();
      await source.last.answer();
      const { nextPoll = 0 } = watch.status;
      if (until === undefined) {
        assert.ok(nextPoll > START + wait && nextPoll <= START + 2 * wait);
      } else {
        assert.equal(nextPoll, START + until);
        await clock.tick(until);
        assert.equal(source.polls.length, 2);
        await source.last.answer();
        assert.equal(watch.status.nextPoll, START + until + 100, "once");
      }
      await reader.cancel();
    }));
}
