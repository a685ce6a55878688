// What becomes of a followed stream when something fails, is refused, waits, or ends.
import { type ExternalEvent, WatchGroup } from "@koprs/external";
import assert from "node:assert/strict";
import { test } from "node:test";
import { pending, settle } from "../watch/_watch.ts";
import { NamedSource, short, withGroup } from "./_group.ts";
import { followLists, key, list, type Wanted, Words } from "./_words.ts";

test("a removal that is refused leaves the source where it is, for the next word", async () => {
  await withGroup({}, async ({ group, failures }) => {
    const words = new Words();
    let made = 0;
    const following = group.follow(words, ({ name }) => {
      made++;
      return { source: new NamedSource(name) };
    }, { key, removed: { report: true } });
    await words.say("added", "a");
    await words.say("removed", "a");
    assert.match(failures[0]!.error.message, /^Cannot follow 'a': Cannot report what is known/);
    assert.equal(failures[0]!.error.code, "invalid");
    assert.ok(failures[0]!.error.cause instanceof Error);
    assert.equal(group.size, 1);
    // It is what is wanted again, and can be replaced.
    await words.say("added", "a");
    assert.deepEqual([made, failures.length], [1, 1]);
    await words.say("modified", "a", "2");
    assert.deepEqual([made, failures.length, group.size], [2, 1, 1]);
    words.end();
    await following;
  });
});

test("a source whose state could not be deleted is gone all the same, and can be added again", async () => {
  const checkpoint = {
    load: () => Promise.resolve(undefined),
    save: () => Promise.resolve(),
    delete: () => Promise.reject(new Error("no disk")),
  };
  await withGroup({ checkpoint }, async ({ group, failures }) => {
    const words = new Words();
    const following = group.follow(words, ({ name, url }) => ({ source: list(name, url) }), {
      key,
      removed: { forget: true },
    });
    await words.say("added", "a");
    await words.say("removed", "a");
    assert.match(failures[0]!.error.message, /Cannot delete the checkpoint of 'a'.*no disk/);
    assert.equal(group.size, 0);
    await words.say("added", "a");
    assert.deepEqual([failures.length, group.size], [1, 1]);
    words.end();
    await following;
  });
});

test("the stream has ended once its last removal has", async () => {
  const { group, words, reader, following } = followLists({ removed: { report: true } });
  await words.say("added", "a");
  assert.equal(await short(reader.read()), "a added 1");
  await words.say("removed", "a");
  words.end();
  assert.ok(await pending(following), "nobody has read what was removed");
  assert.equal(await short(reader.read()), "a removed 1");
  const read = reader.read();
  await following;
  assert.equal(group.size, 0);
  await reader.cancel();
  await read;
});

test("what is wanted again while it is being removed is added again, as it was", async () => {
  const { words, reader, following } = followLists({ removed: { report: true } });
  await words.say("added", "a");
  assert.equal(await short(reader.read()), "a added 1");
  await words.say("removed", "a");
  await words.say("added", "a");
  assert.equal(await short(reader.read()), "a removed 1");
  assert.equal(await short(reader.read()), "a added 1");
  words.end();
  await following;
  await reader.cancel();
});

test("after the end of the group nothing more is made, added or reported", async () => {
  await withGroup({}, async ({ clock, group, reader, failures }) => {
    const words = new Words();
    let made = 0;
    const following = group.follow(words, ({ name, url }) => {
      made++;
      return { source: list(name, url) };
    }, { key, replaced: { report: true } });
    await words.say("added", "a");
    const read = reader.read();
    await clock.tick(0);
    assert.equal(await short(read), "a added 1");
    await words.say("modified", "a", "2");
    await words.say("modified", "a", "3");
    assert.equal(made, 2, "the second waits for the removal");
    await reader.cancel();
    await following;
    assert.equal(made, 2);
    assert.deepEqual(failures, []);
  });
});

/** A stream whose next event never comes, that notes how often it was ended. */
class Silent implements AsyncIterable<ExternalEvent<Wanted>> {
  returned = 0;
  readonly #answers: Promise<IteratorResult<ExternalEvent<Wanted>>>[];

  constructor(...answers: Promise<IteratorResult<ExternalEvent<Wanted>>>[]) {
    this.#answers = answers;
  }

  [Symbol.asyncIterator](): AsyncIterator<ExternalEvent<Wanted>> {
    return {
      next: () => this.#answers.shift() ?? new Promise(() => {}),
      return: () => (this.returned++, Promise.reject(new Error("cannot end"))),
    };
  }
}

test("the end of the group is the end, whatever the stream does about it", async () => {
  const group = new WatchGroup<string>({ interval: 1_000 });
  const silent = new Silent();
  const following = group.follow(silent, () => assert.fail("nothing to make"), { key });
  const bare = group.follow(
    { [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => {}) }) },
    () => assert.fail("nothing to make"),
    { key },
  );
  await group.cancel();
  await Promise.all([following, bare]);
  assert.equal(silent.returned, 1);
});

test("a stream that has ended is not ended once more with the group", async () => {
  const group = new WatchGroup<string>({ interval: 1_000 });
  const over = new Silent(Promise.resolve({ done: true, value: undefined }));
  await group.follow(over, () => assert.fail("nothing to make"), { key });
  // Others that follow are still told.
  const silent = new Silent();
  const following = group.follow(silent, () => assert.fail("nothing to make"), { key });
  await group.cancel();
  await following;
  assert.deepEqual([over.returned, silent.returned], [0, 1]);
});

test("a key or a version that is no string is reported for its item", async () => {
  await withGroup({}, async ({ group, failures }) => {
    const words = new Words();
    const odd = (option: "key" | "version") => ({
      key,
      [option]: ({ name }: Wanted) => name === "odd" ? 7 : name,
    });
    const source = (made: string) => ({ name }: Wanted) => ({
      source: new NamedSource(`${made} ${name}`),
    });
    const followings = [
      group.follow(words, source("a"), odd("key") as object),
    ];
    await words.say("added", "odd");
    words.end();
    const more = new Words();
    followings.push(group.follow(more, source("b"), odd("version") as object));
    await more.say("added", "odd");
    await more.say("added", "even");
    more.end();
    await Promise.all(followings);
    assert.deepEqual(failures.map(({ error }) => error.message), [
      "Cannot follow an item: 'key' must return a string",
      "Cannot follow 'odd': 'version' must return a string",
    ]);
    assert.deepEqual([...group.statuses()].map(([name]) => name), ["b even"]);
  });
});

test("arguments that are wrong are refused by name", async () => {
  const group = new WatchGroup<string>({ interval: 1_000 });
  const source = () => ({ source: new NamedSource("a") });
  const follow = (make: unknown, options?: object) =>
    group.follow(new Words(), make as typeof source, options as { key: typeof key });
  const refused = (message: RegExp) => ({ name: "TypeError", message });
  await assert.rejects(follow(undefined), refused(/^Cannot follow as 'make' is missing$/));
  await assert.rejects(follow("make"), refused(/'make' must be a function/));
  await assert.rejects(follow(source, { key: 7 }), refused(/'key' must be a function/));
  await assert.rejects(follow(source, { version: 7 }), refused(/'version' must be a function/));
  await group.cancel();
});

test("a failure of one item is a warning where nobody listens, and ends the group if the listener throws", async (t) => {
  const warn = t.mock.method(console, "warn", () => {});
  const bad = () => {
    throw new Error("no URL\nat all");
  };
  const quiet = new WatchGroup<string>({ interval: 1_000 });
  const words = new Words();
  const following = quiet.follow(words, bad, { key });
  await words.say("added", "a");
  assert.equal(warn.mock.callCount(), 1);
  assert.match(String(warn.mock.calls[0]?.arguments[0]), /^Cannot follow 'a': no URL.*at all$/);
  words.end();
  await following;
  await quiet.cancel();

  const thrown = new Error("a bug");
  const told: unknown[] = [];
  const onError = (_: Error, info: unknown) => {
    told.push(info);
    throw thrown;
  };
  await withGroup({ onError }, async ({ group, reader }) => {
    const more = new Words();
    const ending = group.follow(more, bad, { key });
    await more.say("added", "a");
    await assert.rejects(reader.read(), (error) => error === thrown);
    await ending;
    assert.deepEqual(told, [{ attempt: 1, wait: Infinity }]);
    await settle();
  });
});
