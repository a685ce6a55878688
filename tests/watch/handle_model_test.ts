/**
 * E1 to E4, with handlers that end in any order, fail or hang, a source that changes meanwhile, crashes and restarts at any
 * moment: in the end each item was handled in its true state, none was handled twice at once, and what repeats is bounded.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import process from "node:process";
import fc from "fast-check";
import { HandledWorld } from "./_handle_model.ts";
import { settle, withClock } from "./_watch.ts";

type Step =
  | { readonly kind: "put" | "remove"; readonly key: string }
  | { readonly kind: "end"; readonly nth: number; readonly fails: boolean }
  | { readonly kind: "tick"; readonly ms: number }
  | { readonly kind: "crash"; readonly did: number }
  | { readonly kind: "restart" | "resync" };

const key = fc.constantFrom("a", "b", "c", "d", "e", "f");
const steps = (resyncs: boolean): fc.Arbitrary<Step> =>
  fc.oneof(
    { weight: 5, arbitrary: fc.record({ kind: fc.constant("put" as const), key }) },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant("remove" as const), key }) },
    {
      weight: 7,
      arbitrary: fc.record({
        kind: fc.constant("end" as const),
        nth: fc.nat({ max: 5 }),
        fails: fc.boolean(),
      }),
    },
    {
      weight: 5,
      arbitrary: fc.record({
        kind: fc.constant("tick" as const),
        ms: fc.constantFrom(50, 100, 400),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant("crash" as const), did: fc.nat({ max: 63 }) }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("restart" as const) }) },
    {
      weight: resyncs ? 1 : 0,
      arbitrary: fc.record({ kind: fc.constant("resync" as const) }),
    },
  );

async function run(world: HandledWorld, step: Step): Promise<void> {
  switch (step.kind) {
    case "put":
      return world.put(step.key);
    case "remove":
      return world.remove(step.key);
    case "end":
      return await world.end(step.nth, step.fails);
    case "tick":
      return await world.tick(step.ms);
    case "crash":
      return await world.crash(step.did);
    case "restart":
      return await world.restart();
    case "resync":
      return world.resync();
  }
}

for (const resyncs of [false, true]) {
  test(`E1 to E4: whatever happens${resyncs ? ", with resyncs" : ""}`, async () => {
    let events = 0;
    let repeated = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(1, 2, 4),
        fc.array(steps(resyncs), { minLength: 5, maxLength: 50 }),
        (concurrency, history) =>
          withClock(async (clock) => {
            const world = new HandledWorld(clock, concurrency);
            await settle();
            for (const step of history) await run(world, step);
            await world.quiesce();
            assert.deepEqual(new Map([...world.known].sort()), new Map([...world.objects].sort()));
            assert.deepEqual(world.unjustified, []);
            assert.ok(world.most <= concurrency);
            events += world.events;
            repeated += world.repeated;
          }),
      ),
      { numRuns: Number(process.env["FC_RUNS"] ?? 400) },
    );
    // Crashes that repeat something are rare: with sixty runs there was none now and then.
    assert.ok(events > 100 && (resyncs || repeated > 0), `${events} events, ${repeated} repeated`);
  });
}
