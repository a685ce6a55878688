import { ExternalError } from "@koprs/external";
import { CollectionPoller, type CollectionPollerOptions } from "@koprs/external/collection";
import fc from "fast-check";
import assert from "node:assert/strict";
import { test } from "node:test";
import { deliveries, type Delivery, Replay } from "./_replay.ts";

interface Item {
  readonly id: string;
  readonly revision: number;
  readonly value: unknown;
}

/** One poll: what there is, how it is listed, and what happens to it. */
interface Step {
  /** In the order of the listing; of two with one key the last counts. */
  readonly items: readonly Item[];
  readonly pageSize: number;
  /** The page that fails, if there are as many. */
  readonly failAt: number | undefined;
  /** The call of `key` or `version` that throws, if there are as many. */
  readonly throwAt: number | undefined;
  readonly delivery: Delivery;
}

interface Case {
  readonly versioned: boolean;
  readonly maxRemoved: number;
  readonly steps: readonly Step[];
}

const keyOf = (item: Item): string => item.id;

const items: fc.Arbitrary<Item> = fc.record({
  id: fc.oneof(
    fc.constantFrom("a", "b", "c/d", "..", "__proto__", "%2F", "\uffff", "\u{10000}", "", "\ud800"),
    fc.string({ unit: "binary", maxLength: 3 }),
  ),
  revision: fc.nat({ max: 3 }),
  value: fc.oneof(fc.constantFrom(1, "1", null, true), fc.jsonValue({ maxDepth: 2 })),
}, { noNullPrototype: true });

const cases: fc.Arbitrary<Case> = fc.record({
  versioned: fc.boolean(),
  maxRemoved: fc.constantFrom(1, 1, 0.5, 0),
  steps: fc.array(
    fc.record({
      items: fc.array(items, { maxLength: 12 }),
      pageSize: fc.integer({ min: 1, max: 5 }),
      failAt: fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined, freq: 3 }),
      throwAt: fc.option(fc.integer({ min: 1, max: 20 }), { nil: undefined, freq: 2 }),
      delivery: deliveries,
    }),
    { maxLength: 8 },
  ),
});

/** What the poller hands out of an item: it goes through JSON, which knows no -0. */
function asJson(item: Item): Item {
  return JSON.parse(JSON.stringify(item));
}

/** Runs a whole history, and compares every poll with the naive way. */
async function check({ versioned, maxRemoved, steps }: Case): Promise<void> {
  const identityOf = (item: Item) => versioned ? String(item.revision) : JSON.stringify(item);
  let step: Step | undefined;
  let calls = 0;
  const throwing = <R>(result: R): R => {
    if (++calls === step?.throwAt) throw new Error("cannot say");
    return result;
  };
  const options: CollectionPollerOptions<Item> = {
    name: "items",
    async *list() {
      const { items, pageSize, failAt } = step as Step;
      let page = 0;
      for (let i = 0; i < items.length; i += pageSize) {
        await Promise.resolve();
        if (++page === failAt) throw new Error("down");
        yield items.slice(i, i + pageSize);
      }
      if (failAt !== undefined && failAt > page) throw new Error("down at the end");
    },
    key: (item) => throwing(item.id),
    maxRemoved,
    ...(versioned && { version: (item) => throwing(String(item.revision)) }),
  };
  const make = () => new CollectionPoller(options);
  const replay = new Replay<Item>({ make, keyOf, identityOf, maxRemoved });
  for (step of steps) {
    calls = 0;
    const { items, failAt, throwAt, delivery } = step;
    const next = new Map(items.map((item) => [item.id, asJson(item)]));
    const result = await replay.poll(
      next,
      delivery,
      (error) =>
        error instanceof ExternalError && error.code === "invalid"
          ? throwAt !== undefined && error.message.includes("cannot say")
          : failAt !== undefined && String(error).includes("down"),
    );
    if (failAt !== undefined || (throwAt !== undefined && calls >= throwAt)) {
      assert.equal(result, "failed");
    }
  }
}

test("replay equals the last complete listing", { timeout: 100_000 }, async () => {
  await fc.assert(fc.asyncProperty(cases, check), { numRuns: 1_000 });
});
