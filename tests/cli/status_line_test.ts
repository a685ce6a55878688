// The line on a terminal that tells how the watches are doing.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Progress } from "../../_cli/progress.ts";
import { statusLine } from "../../_cli/status_line.ts";
import type { WatchStatus } from "../../_watch/status.ts";

const calm: WatchStatus = { phase: "waiting", polls: 1, events: 0, failures: 0, nextPoll: 5_000 };

function watched(status: Partial<WatchStatus>, progress: Partial<Progress> = {}, name = "s3://b") {
  return {
    name,
    status: { ...calm, ...status },
    progress: Object.assign(new Progress(), progress),
  };
}

test("without a target there is nothing to tell", () => {
  assert.equal(statusLine([], 0, 0), "");
});

test("one target: polls, objects, events, failures, and the wait", () => {
  const of = (...which: Parameters<typeof watched>) => statusLine([watched(...which)], 1_000, 0);
  assert.equal(of({}), "1 poll · 0 events · next in 4.0 s");
  assert.equal(
    of({ polls: 3, events: 1, failures: 2 }),
    "3 polls · 1 event · 2 failed in a row · next in 4.0 s",
  );
  assert.equal(
    of({ polls: 1_234, aside: 5_000 }, { known: 12_000 }),
    "1,234 polls · 12,000 objects · 0 events · 5,000 to try again · next in 4.0 s",
  );
  const { nextPoll: _, ...rest } = calm;
  const busy = { name: "a", status: { ...rest, phase: "delivering" as const } };
  assert.equal(
    statusLine([{ ...busy, progress: new Progress() }], 0, 0),
    "1 poll · 0 events · delivering",
  );
});

test("several targets: their sums, and the next poll of all", () => {
  const { nextPoll: _, ...busy } = calm;
  const some = [
    watched({ polls: 1_000 }),
    watched({ polls: 500, nextPoll: 3_500 }),
    { name: "c", status: busy, progress: new Progress() },
  ];
  assert.equal(statusLine(some, 1_000, 0), "3 targets · 1,501 polls · next in 2.5 s");
  some.push(watched({ failures: 1, aside: 2 }), watched({ failures: 3 }), watched({ aside: 1 }));
  assert.equal(
    statusLine(some, 1_000, 0),
    "6 targets · 1,504 polls · 2 failing · 3 to try again · next in 2.5 s",
  );
  const last = some.slice(2, 3);
  assert.equal(statusLine([...last, ...last], 0, 0), "2 targets · 2 polls");
});

test("a poll that takes its time is shown, and a short one is not", () => {
  const polling = (listed: number, requests = 2) =>
    watched({ phase: "polling" }, { startedAt: 1_000, listed, requests });
  const waiting = "1 poll · 0 events · next in 5.0 s";
  assert.equal(statusLine([polling(0)], 0, 1_299), waiting);
  assert.equal(statusLine([polling(0)], 0, 1_300), "polling · 2 requests · 0.3 s");
  assert.equal(statusLine([polling(1)], 0, 1_300), "polling [-###------------] 1 objects · 0.3 s");
  const name = "https://host.example/a/long/name";
  const all = [watched({}), watched({}, { startedAt: 0, requests: 1 }, name)];
  // The end of a long name tells more than its beginning.
  assert.equal(
    statusLine(all, 0, 2_000),
    "polling host.example/a/long/name · 1 requests · 2.0 s",
  );
});

test("a bar shows how much is listed, as far as that is known", () => {
  const bar = (listed: number, known?: number, clock = 1_000) => {
    const progress = { startedAt: 0, listed, ...(known !== undefined && { known }) };
    const [, shown] = /^polling \[(.*)\]/.exec(statusLine([watched({}, progress)], 0, clock)) ?? [];
    return shown;
  };
  assert.equal(bar(12_000, 24_000), "########--------");
  assert.equal(bar(1, 24_000), "----------------");
  // More than last time is as much as can be shown.
  assert.equal(bar(48_000, 24_000), "################");
  // Nothing is known, or was there: something moves to and fro.
  for (const known of [undefined, 0]) {
    const at = [0, 200, 399, 2_400, 2_600, 2_800, 5_000, 5_200].map((ms) =>
      bar(1, known, ms + 10_400)?.indexOf("###")
    );
    assert.deepEqual(at, [0, 1, 1, 12, 13, 12, 1, 0]);
    assert.equal(bar(1, known)?.length, 16);
  }
});
