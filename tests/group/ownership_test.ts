import assert from "node:assert/strict";
import { test } from "node:test";
import { followOwner } from "../../_group/ownership.ts";
import { settle } from "../watch/_watch.ts";

/** An owner whose iteration the test drives, and what was heard of it. */
function following(options: { withReturn: boolean }) {
  const heard: unknown[] = [];
  let answer = Promise.withResolvers<IteratorResult<void>>();
  let asked = 0, returned = 0;
  const next = () => {
    asked++;
    answer = Promise.withResolvers();
    return answer.promise;
  };
  const iterator: AsyncIterator<void> = options.withReturn
    ? { next, return: () => (returned++, Promise.reject(new Error("cannot end"))) }
    : { next };
  const stop = followOwner({
    owns: () => true,
    changes: { [Symbol.asyncIterator]: () => iterator },
  }, { changed: () => heard.push("changed"), failed: (error) => heard.push(error) });
  return {
    heard,
    stop,
    get asked() {
      return asked;
    },
    get returned() {
      return returned;
    },
    async say(done: boolean) {
      answer.resolve({ done, value: undefined } as IteratorResult<void>);
      await settle();
    },
    async fail(error: unknown) {
      answer.reject(error);
      await settle();
    },
  };
}

test("every change is heard until the owner has no more to say", async () => {
  const owner = following({ withReturn: true });
  await owner.say(false);
  await owner.say(false);
  assert.deepEqual(owner.heard, ["changed", "changed"]);
  await owner.say(true);
  assert.deepEqual([owner.heard.length, owner.asked], [2, 3]);
});

test("an owner that fails is heard once", async () => {
  const owner = following({ withReturn: true });
  const reason = new Error("the lease is gone");
  await owner.fail(reason);
  assert.deepEqual(owner.heard, [reason]);
});

for (const withReturn of [true, false]) {
  test(`nothing is heard any more after the end, with${withReturn ? "" : "out"} 'return'`, async () => {
    const late = following({ withReturn });
    late.stop();
    assert.equal(late.returned, withReturn ? 1 : 0);
    await late.say(false);
    assert.deepEqual([late.heard, late.asked], [[], 1]);
    const failing = following({ withReturn });
    failing.stop();
    await failing.fail(new Error("late"));
    assert.deepEqual(failing.heard, []);
  });
}
