import { type ExternalEvent, watchExternal, WatchGroup } from "@koprs/external";
import assert from "node:assert/strict";
import { test } from "node:test";
import { added, pending } from "../watch/_watch.ts";
import { NamedSource, short, withGroup } from "./_group.ts";
import { followLists, key, type Wanted, Words } from "./_words.ts";

test("G4: sources are added, replaced when their definition changed, and removed", async () => {
  await withGroup({}, async ({ group }) => {
    const words = new Words();
    const made: NamedSource[] = [];
    const following = group.follow(words, ({ name, url }) => {
      made.push(new NamedSource(`${name} ${url}`));
      return { source: made.at(-1)!, options: { interval: 50 } };
    }, { key });
    const names = () => [...group.statuses()].map(([name]) => name);
    group.add(new NamedSource("other"));
    await words.say("added", "a");
    await words.say("added", "b");
    assert.deepEqual(names(), ["other", "a 1", "b 1"]);
    await words.say("modified", "a", "2");
    assert.deepEqual(names(), ["other", "b 1", "a 2"]);
    await words.say("removed", "b");
    assert.deepEqual(names(), ["other", "a 2"]);
    words.end();
    await following;
    assert.deepEqual(names(), ["other", "a 2"]);
    assert.equal(made.length, 3);
  });
});

test("G4: what says the same once more changes nothing", async () => {
  await withGroup({}, async ({ group }) => {
    const words = new Words();
    let made = 0;
    const following = group.follow(words, ({ name }) => {
      made++;
      return { source: new NamedSource(name) };
    }, { key });
    await words.say("added", "a");
    await words.say("modified", "a");
    await words.say("added", "a");
    assert.equal(made, 1);
    await words.say("removed", "a");
    await words.say("removed", "a");
    await words.say("removed", "nobody");
    assert.equal(group.size, 0);
    words.end();
    await following;
  });
});

test("G4: the newest word counts, however fast they come", async () => {
  const { group, words, reader, following } = followLists({
    removed: { report: true },
    replaced: { report: true },
  });
  await words.say("added", "a", "1");
  assert.equal(await short(reader.read()), "a added 1");
  // Nobody reads: what was known cannot be reported yet, and the words pile up behind that.
  for (let i = 2; i < 50; i++) {
    await words.say("modified", "a", String(i));
    await words.say("removed", "a");
    await words.say("added", "a", `${i}.5`);
  }
  await words.say("modified", "a", "last");
  assert.equal(await short(reader.read()), "a removed 1");
  assert.equal(await short(reader.read()), "a added last");
  await words.say("removed", "a");
  assert.equal(await short(reader.read()), "a removed last");
  const read = reader.read();
  words.end();
  await following;
  assert.equal(group.size, 0);
  await reader.cancel();
  await read;
});

test("G4: what throws for one item is reported for that item alone, and leaves its source as it was", async () => {
  await withGroup({}, async ({ group, failures }) => {
    const words = new Words();
    const following = group.follow(words, ({ name, url }) => {
      if (url === "bad") throw new Error(`no URL: ${url}`);
      return { source: new NamedSource(name) };
    }, { key });
    await words.say("added", "a", "bad");
    await words.say("added", "b");
    await words.say("modified", "b", "bad");
    await words.say("added", "c");
    assert.deepEqual([...group.statuses()].map(([name]) => name), ["b", "c"]);
    assert.deepEqual(failures.map(({ error }) => [error.code, error.message]), [
      ["invalid", "Cannot follow 'a': no URL: bad"],
      ["invalid", "Cannot follow 'b': no URL: bad"],
    ]);
    // A name that another source has.
    group.add(new NamedSource("d"));
    await words.say("added", "d");
    assert.match(failures[2]!.error.message, /^Cannot follow 'd': Cannot add 'd' as the group has/);
    await words.say("modified", "a", "good");
    assert.equal(group.size, 4);
    words.end();
    await following;
  });
});

test("G4: a stream that fails leaves the group as it is, and rejects", async () => {
  await withGroup({}, async ({ clock, group, reader }) => {
    const words = new Words();
    const source = new NamedSource("a");
    const following = group.follow(words, () => ({ source }), { key });
    following.catch(() => {});
    await words.say("added", "a");
    const reason = new Error("the cluster is away");
    words.fail(reason);
    await assert.rejects(following, reason);
    assert.equal(group.size, 1);
    const read = reader.read();
    await clock.tick(0);
    await source.last.answer(added("1"));
    assert.equal(await short(read), "a added 1");
  });
});

test("G4: the end of the group ends what it follows, also while that waits", async () => {
  const watched = { name: "desired", poll: () => Promise.resolve([]) };
  const desired = watchExternal<Wanted>(watched, 60_000);
  const group = new WatchGroup<string>({ interval: 1_000 });
  const following = group.follow(desired, () => ({ source: new NamedSource("a") }), { key });
  assert.ok(await pending(following));
  await group.cancel();
  await following;
  assert.equal(desired.status.phase, "closed");
});

test("items are told apart by what they have: a key, a URL, a name, or that of a resource of a cluster", async () => {
  const items: unknown[] = [
    "text",
    { key: "k", name: "n" },
    { url: "u" },
    { name: "n" },
    { metadata: { namespace: "a", name: "n" } },
    { metadata: { namespace: "b", name: "n" } },
  ];
  await withGroup({}, async ({ group, failures }) => {
    let made = 0;
    const say = (type: "added" | "removed", items: unknown[]) =>
      group.follow(
        (async function* () {
          yield* items.map((item) => ({ type, item }) as ExternalEvent<unknown>);
        })(),
        () => ({ source: new NamedSource(`s${made++}`) }),
      );
    await say("added", items);
    assert.equal(group.size, items.length);
    await say("added", [{ id: 1 }, { key: 2 }, null]);
    assert.equal(failures.length, 3);
    for (const { error } of failures) assert.match(error.message, /give the option 'key'$/);
    await assert.rejects(group.follow(new Words(), "make" as never), TypeError);
  });
});
