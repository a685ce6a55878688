import { ExternalError, type ExternalWatch, watchExternal } from "@koprs/external";
import { SpanStatusCode, trace } from "@opentelemetry/api";
import assert from "node:assert/strict";
import { mock, test } from "node:test";
import { of, withSdk } from "./_sdk.ts";
import { added, type Event, ManualSource, settle, withClock } from "./_watch.ts";

class NamedSource extends ManualSource {
  override readonly name: string;

  constructor(name: string) {
    super();
    this.name = name;
  }
}

interface Watching {
  readonly source: ManualSource;
  readonly watch: ExternalWatch<string>;
  readonly reader: ReadableStreamDefaultReader<Event>;
  /** Reads on, and waits until the watch asks its source. */
  next(): Promise<ReadableStreamReadResult<Event>>;
}

function watching(name: string): Watching {
  const source = new NamedSource(name);
  const watch = watchExternal(source, { interval: 1_000, jitter: 0, logger: false });
  const reader = watch.getReader();
  const next = () => {
    const read = reader.read();
    read.catch(() => {});
    return read;
  };
  return { source, watch, reader, next };
}

test("T1: a good poll with events is one span, ended when they are handled", () =>
  withSdk(async (sdk) => {
    const { source, reader, next } = watching("good");
    const read = next();
    await settle();
    source.last.onRequest?.();
    source.last.onRequest?.();
    await source.last.answer(added("a"), added("b"), added("c"));
    await read;
    await next();
    await next();
    assert.equal(sdk.polls.length, 0);
    next();
    await settle();
    const [span, ...others] = sdk.polls;
    assert.equal(others.length, 0);
    assert.equal(span!.name, "poll good");
    assert.deepEqual(span!.attributes, {
      "koprs.external.source": "good",
      "koprs.external.outcome": "changed",
      "koprs.external.events": 3,
      "koprs.external.requests": 2,
    });
    assert.equal(span!.status.code, SpanStatusCode.UNSET);
    assert.equal(span!.ended, true);
    await reader.cancel();
  }));

test("T1: a poll without events is a span that says so", () =>
  withSdk(async (sdk) => {
    const { source, reader, next } = watching("quiet");
    next();
    await settle();
    await source.last.answer();
    assert.equal(sdk.polls[0]!.attributes["koprs.external.outcome"], "unchanged");
    assert.equal(sdk.polls[0]!.attributes["koprs.external.events"], 0);
    assert.equal(sdk.polls[0]!.attributes["koprs.external.requests"], 0);
    await reader.cancel();
  }));

test("T1: a failed poll is a span with the error's status and type", () =>
  withSdk(async (sdk) => {
    const { source, reader, next } = watching("failing");
    next();
    await settle();
    await source.last.fail(new ExternalError("status", "answered 503", { status: 503 }));
    const [span] = sdk.polls;
    assert.deepEqual(span!.status, { code: SpanStatusCode.ERROR, message: "answered 503" });
    assert.deepEqual(span!.attributes, {
      "koprs.external.source": "failing",
      "koprs.external.outcome": "failed",
      "koprs.external.events": 0,
      "koprs.external.requests": 0,
      "error.type": "status",
      "http.response.status_code": 503,
    });
    await reader.cancel();
  }));

test("T1: events that break off half-way make a failed span with their number", () =>
  withSdk(async (sdk) => {
    const { source, reader, next } = watching("half");
    const read = next();
    await settle();
    await source.last.answerWith((function* () {
      yield added("a");
      throw new Error("broken");
    })());
    await read;
    next();
    await settle();
    const { attributes } = sdk.polls[0]!;
    assert.equal(attributes["koprs.external.outcome"], "failed");
    assert.equal(attributes["koprs.external.events"], 1);
    assert.equal(attributes["error.type"], "internal");
    await reader.cancel();
  }));

test("T1: an end in the poll or while its events are read makes a cancelled span, no error", () =>
  withSdk(async (sdk) => {
    const inPoll = watching("in poll");
    inPoll.next();
    await settle();
    await inPoll.reader.cancel();
    await settle();
    const inEvents = watching("in events");
    const read = inEvents.next();
    await settle();
    await inEvents.source.last.answer(added("a"), added("b"));
    await read;
    await inEvents.reader.cancel();
    assert.deepEqual(
      sdk.polls.map(({ name, status, attributes }) => [
        name,
        status.code,
        attributes["koprs.external.outcome"],
        attributes["koprs.external.events"],
      ]),
      [
        ["poll in poll", SpanStatusCode.UNSET, "cancelled", 0],
        ["poll in events", SpanStatusCode.UNSET, "cancelled", 1],
      ],
    );
    await inPoll.source.last.answer();
    assert.equal(sdk.polls.length, 2, "each span ends once");
  }));

test("T1: span and duration leave out the time the consumer takes", () =>
  withSdk(async (sdk) => {
    let now = 1_000;
    const clock = mock.method(performance, "now", () => now);
    try {
      const { source, reader, next } = watching("slow consumer");
      const read = next();
      await settle();
      now += 250;
      await source.last.answer(added("a"));
      await read;
      now += 60_000;
      next();
      await settle();
      const [seconds, nanoseconds] = sdk.polls[0]!.duration;
      assert.ok(Math.abs(seconds * 1_000 + nanoseconds / 1e6 - 250) < 1);
      const [point] = of((await sdk.collect())["koprs.external.poll.duration"], "slow consumer");
      assert.ok(Math.abs((point!.value as { sum: number }).sum - 0.25) < 0.001);
      await reader.cancel();
    } finally {
      clock.mock.restore();
    }
  }));

test("T1: spans started in the poll are its children, those of the consumer are not", () =>
  withSdk(async (sdk) => {
    const tracer = trace.getTracer("application");
    const source = {
      name: "parent",
      async poll() {
        tracer.startSpan("at once").end();
        await settle();
        tracer.startSpan("later").end();
        return [added("a")];
      },
    };
    for await (const _ of watchExternal(source, 1)) {
      tracer.startSpan("consumer").end();
      break;
    }
    const span = (name: string) => sdk.spans.getFinishedSpans().find((span) => span.name === name)!;
    const { spanId, traceId } = span("poll parent").spanContext();
    for (const child of ["at once", "later"]) {
      assert.equal(span(child).parentSpanContext?.spanId, spanId);
      assert.equal(span(child).spanContext().traceId, traceId);
    }
    assert.equal(span("consumer").parentSpanContext, undefined);
  }));

test("T1: metrics count polls by outcome, their duration and the events, with units", () =>
  withSdk(async (sdk) => {
    await withClock(async (clock) => {
      const { source, reader, next } = watching("counted");
      let read = next();
      await settle();
      await source.last.answer(added("a"), added("b"));
      await read;
      await next();
      read = next();
      await clock.tick(1_000);
      await source.last.fail(new ExternalError("network", "reset"));
      await clock.tick(2_000);
      await source.last.answer();
      await clock.tick(1_000);
      await reader.cancel();
      await settle();
    });
    const found = await sdk.collect();
    const polls = of(found["koprs.external.polls"], "counted");
    assert.deepEqual(
      polls.map(({ attributes, value }) => [
        attributes["koprs.external.outcome"],
        attributes["error.type"],
        value,
      ]),
      [
        ["changed", undefined, 1],
        ["failed", "network", 1],
        ["unchanged", undefined, 1],
        ["cancelled", undefined, 1],
      ],
    );
    assert.equal(of(found["koprs.external.events"], "counted")[0]!.value, 2);
    const durations = of(found["koprs.external.poll.duration"], "counted");
    assert.equal(durations.length, 4);
    assert.deepEqual(
      Object.fromEntries(Object.entries(found).map(([name, { unit }]) => [name, unit]).sort()),
      {
        "koprs.external.events": "{event}",
        "koprs.external.poll.duration": "s",
        "koprs.external.polls": "{poll}",
      },
    );
    for (const { description } of Object.values(found)) assert.notEqual(description, "");
  }));

test("T1: gauges tell failures in a row and the age of the last success, of live watches alone", () =>
  withSdk((sdk) =>
    withClock(async (clock) => {
      const gauges = async () => {
        const found = await sdk.collect(clock);
        const failures = found["koprs.external.poll.consecutive_failures"];
        const age = found["koprs.external.poll.last_success.age"];
        if (failures !== undefined) assert.equal(failures.unit, "{poll}");
        if (age !== undefined) assert.equal(age.unit, "s");
        return [failures, age].map((gauge) => gauge && of(gauge, "gauged")[0]?.value);
      };
      const { source, watch, reader, next } = watching("gauged");
      next();
      await settle();
      const begunAt = Date.now();
      await clock.tick(30_000);
      assert.deepEqual(await gauges(), [0, 30], "also while the very first poll hangs");
      await source.last.fail();
      watch.refresh();
      await settle();
      await source.last.fail();
      const sinceBegin = Date.now() - begunAt;
      assert.deepEqual(await gauges(), [2, sinceBegin / 1_000]);
      watch.refresh();
      await settle();
      await source.last.answer();
      assert.deepEqual(await gauges(), [0, 0]);
      await clock.tick(9_999);
      assert.deepEqual(await gauges(), [0, 10]);
      await reader.cancel();
      await settle();
      assert.deepEqual(await gauges(), [undefined, undefined]);
    })
  ));

test("T1: an SDK registered after the first poll gets the polls that follow", async () => {
  const { source, watch, reader, next } = watching("early");
  next();
  await settle();
  await source.last.answer();
  const again = async () => {
    watch.refresh();
    await settle();
    await source.last.answer();
  };
  await withSdk(async (sdk) => {
    await again();
    assert.equal(sdk.polls.length, 1);
    const found = await sdk.collect();
    assert.equal(of(found["koprs.external.polls"], "early")[0]!.value, 1);
    assert.equal(of(found["koprs.external.poll.consecutive_failures"], "early")[0]!.value, 0);
  });
  await again();
  assert.equal(watch.status.polls, 3);
  await reader.cancel();
});
