// What telemetry tells of requests: how many, which polls were of a part, and what a budget puts off.
import { ExternalError, watchExternal } from "@koprs/external";
import { SpanStatusCode } from "@opentelemetry/api";
import assert from "node:assert/strict";
import { test } from "node:test";
import { PartSource } from "./_parts.ts";
import { of, withSdk } from "./_sdk.ts";
import { added, settle, withClock } from "./_watch.ts";

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

test("T1: every metric has its unit and a description, and the durations their bounds", () =>
  withSdk((sdk) =>
    withClock(async (clock) => {
      const source = Object.assign(new PartSource(), {
        acknowledgement: {
          keyOf: ({ item }: { item: string }) => item,
          handled() {},
          setAside() {},
          again: () => undefined,
          asideKeys: () => [],
        },
      });
      const maxRequests = { count: 3, per: 3_000 };
      const watch = watchExternal(source, {
        ...{ interval: 1_000, jitter: 0, logger: false, maxRequests },
      });
      const done = watch.handle(({ item }) => {
        if (item === "bad") throw new Error("no");
      });
      await settle();
      for (let i = 0; i < 6; i++) source.last.onRequest?.();
      await source.last.answer(added("good"), added("bad"));
      await clock.tick(0);
      const metrics = await sdk.collect(clock);
      const units = Object.entries(metrics).map(([name, { unit }]) => [name, unit]);
      assert.deepEqual(Object.fromEntries(units.sort()), {
        "koprs.external.aside": "{item}",
        "koprs.external.events": "{event}",
        "koprs.external.handled": "{event}",
        "koprs.external.poll.consecutive_failures": "{poll}",
        "koprs.external.poll.duration": "s",
        "koprs.external.poll.last_success.age": "s",
        "koprs.external.polls": "{poll}",
        "koprs.external.requests": "{request}",
        "koprs.external.requests.put_off": "s",
      });
      for (const { description } of Object.values(metrics)) assert.notEqual(description, "");
      const value = (name: string) => of(metrics[`koprs.external.${name}`], "manual")[0]?.value;
      assert.deepEqual([value("aside"), value("events"), value("requests")], [1, 2, 6]);
      const { buckets } = value("poll.duration") as { buckets: { boundaries: number[] } };
      assert.deepEqual(
        buckets.boundaries,
        [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
      );
      await watch[Symbol.asyncDispose]();
      await done;
    })
  ));

test("T1: an error of a server is in its span with the status, and in the metrics by its code", () =>
  withSdk((sdk) =>
    withClock(async (clock) => {
      const source = new PartSource();
      const watch = watchExternal(source, { interval: 1_000, jitter: 0, logger: false });
      const reader = watch.getReader();
      reader.read().catch(() => {});
      await settle();
      await source.last.fail(new ExternalError("status", "it is away", { status: 503 }));
      await clock.tick(2_000);
      await source.last.fail(new ExternalError("network", "reset"));
      assert.deepEqual(
        sdk.polls.map(({ attributes, status }) => [
          attributes["error.type"],
          attributes["http.response.status_code"],
          status.code,
          status.message,
        ]),
        [
          ["status", 503, SpanStatusCode.ERROR, "it is away"],
          ["network", undefined, SpanStatusCode.ERROR, "reset"],
        ],
      );
      const metrics = await sdk.collect(clock);
      const polls = of(metrics["koprs.external.polls"], "manual");
      assert.deepEqual(polls.map(({ attributes }) => attributes["error.type"]), [
        "status",
        "network",
      ]);
      await reader.cancel();
    })
  ));
