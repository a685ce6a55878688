// What telemetry tells of requests: how many, which polls were of a part, and what a budget puts off.
import { watchExternal } from "@koprs/external";
import assert from "node:assert/strict";
import { test } from "node:test";
import { PartSource } from "./_parts.ts";
import { of, withSdk } from "./_sdk.ts";
import { settle, withClock } from "./_watch.ts";

test("T1: requests are counted, a poll of a part says so, and a budget tells what it puts off", () =>
  withSdk((sdk) =>
    withClock(async (clock) => {
      const source = new PartSource();
      const watch = watchExternal(source, {
        interval: 1_000,
        jitter: 0,
        logger: false,
        maxRequests: { count: 3, per: 3_000 },
      });
      const reader = watch.getReader();
      reader.read().catch(() => {});
      await settle();
      source.last.onRequest?.();
      await source.last.answer();
      watch.refresh({ keys: ["a"] });
      await settle();
      for (let i = 0; i < 3; i++) source.last.onRequest?.();
      await source.last.answer();
      await clock.tick(1_000);
      const metrics = await sdk.collect(clock);
      const requests = of(metrics["koprs.external.requests"], "manual");
      assert.deepEqual(requests.map(({ value }) => value), [4]);
      const [putOff] = of(metrics["koprs.external.requests.put_off"], "manual");
      assert.equal(putOff?.value, 3);
      assert.deepEqual(
        sdk.polls.map(({ attributes }) => attributes["koprs.external.part"]),
        [undefined, true],
      );
      await reader.cancel();
    })
  ));
