// CollectionPoller: what `list`, `key` and `version` may give, and what is said where they give anything else.
import assert from "node:assert/strict";
import { test } from "node:test";
import { CollectionPoller, ExternalError } from "@koprs/external";
import type { CollectionPollerOptions } from "@koprs/external/collection";
import { poll } from "./_replay.ts";

type Options = Partial<CollectionPollerOptions<unknown>>;

/** A poller of whatever `list` gives. */
function pollerOf(list: () => unknown, options: Options = {}): CollectionPoller<unknown> {
  return new CollectionPoller<unknown>({
    name: "items",
    list: list as CollectionPollerOptions<unknown>["list"],
    key: (item) => (item as { id: string }).id,
    ...options,
  });
}

/** A list of these pages. */
const pages = (...pages: unknown[]) =>
  async function* () {
    yield* pages;
  };

const brief: Options = {
  version: () => "1",
  remember: "version",
  removed: (id) => ({ id }),
};

/** The error of a poll that must fail. */
async function failure(poller: CollectionPoller<unknown>): Promise<ExternalError> {
  try {
    await poll(poller);
  } catch (error) {
    assert(error instanceof ExternalError, String(error));
    assert.equal(error.source, "items");
    assert.match(error.message, /^Cannot poll 'items': /);
    assert(!error.message.includes("\n"), error.message);
    return error;
  }
  assert.fail("accepted");
}

test("a page that is not an array fails the poll, and nothing is forgotten", async () => {
  let page: unknown = [{ id: "a" }];
  const poller = pollerOf(async function* () {
    yield [{ id: "b" }];
    yield page;
  });
  assert.equal((await poll(poller)).length, 2);
  const cases: [unknown, string][] = [
    ["text", "a string"],
    [new Set([{ id: "a" }]), "a Set"],
    [new Map(), "a Map"],
    [undefined, "undefined"],
    [null, "null"],
    [{ length: 0 }, "an object"],
    [new Uint8Array(2), "a Uint8Array"],
    [7, "a number"],
    [(function* () {})(), "a Generator"],
  ];
  for (page of cases.map(([given]) => given)) {
    const [, kind] = cases.find(([given]) => given === page)!;
    const error = await failure(poller);
    assert.equal(error.code, "protocol");
    assert.equal(
      error.message,
      `Cannot poll 'items': 'list' gave a page that is not an array but ${kind}`,
    );
  }
  page = [{ id: "a" }];
  assert.deepEqual(await poll(poller), []);
});

test("a list that is no async iterable and no array fails the poll", async () => {
  const cases: [unknown, string][] = [
    [undefined, "undefined"],
    [null, "null"],
    [Promise.resolve(7), "a number"],
    ["text", "a string"],
    [(function* () {})(), "a Generator"],
    [{}, "an object"],
  ];
  for (const [given, kind] of cases) {
    const error = await failure(pollerOf(() => given));
    assert.equal(error.code, "invalid");
    assert.equal(
      error.message,
      `Cannot poll 'items': 'list' gave ${kind}, no array and no async iterable`,
    );
  }
});

test("a key that is no string fails the poll, and the error says which item", async () => {
  for (
    const [id, kind] of [[7, "a number"], [undefined, "undefined"], [1n, "a bigint"], [
      {},
      "an object",
    ]]
  ) {
    for (const options of [{}, { version: () => "1" }, brief]) {
      const error = await failure(pollerOf(pages([{ id: "a" }], [{ id: "b" }, { id }]), options));
      assert.equal(error.code, "invalid");
      assert.equal(
        error.message,
        `Cannot poll 'items': 'key' gave ${kind} for item 3 of the listing, no string`,
      );
    }
  }
  const missing = await failure(pollerOf(pages([undefined])));
  assert.match(missing.message, /'key' failed for item 1 of the listing: /);
  assert(missing.cause instanceof TypeError || missing.cause instanceof Error);
});

test("a version that is no string fails the poll, and the error names the key", async () => {
  for (const options of [{}, brief]) {
    for (
      const [given, kind] of [[7, "a number"], [undefined, "undefined"], [new Date(0), "a Date"]]
    ) {
      const version = (item: unknown) =>
        (item as { id: string }).id === "b" ? given as string : "1";
      const error = await failure(
        pollerOf(pages([{ id: "a" }, { id: "b" }]), { ...options, version }),
      );
      assert.equal(error.code, "invalid");
      assert.equal(
        error.message,
        `Cannot poll 'items': 'version' gave ${kind} for the item 'b', no string`,
      );
    }
    const version = () => {
      throw new Error("no revision");
    };
    const error = await failure(pollerOf(pages([{ id: "a" }]), { ...options, version }));
    assert.equal(
      error.message,
      "Cannot poll 'items': 'version' failed for the item 'a': no revision",
    );
  }
});

test("an item that has no JSON fails the poll, and the error names the key", async () => {
  const cyclic: Record<string, unknown> = { id: "cyclic" };
  cyclic.self = cyclic;
  const cases: [unknown, RegExp][] = [
    [() => {}, /: the item 'k' is a function, which has no JSON$/],
    [Symbol("s"), /: the item 'k' is a symbol, which has no JSON$/],
    [undefined, /: the item 'k' is undefined, which has no JSON$/],
    [{ toJSON: () => undefined }, /: the item 'k' is an object, which has no JSON$/],
    [1n, /: 'JSON.stringify' failed for the item 'k': .*BigInt/],
    [{ big: 1n }, /: 'JSON.stringify' failed for the item 'k': .*BigInt/],
    [cyclic, /: 'JSON.stringify' failed for the item 'k': /],
    [{
      toJSON: () => {
        throw new Error("no");
      },
    }, /: 'JSON.stringify' failed for the item 'k': no$/],
  ];
  for (const [item, message] of cases) {
    for (const options of [{}, { version: () => "1" }]) {
      const error = await failure(pollerOf(pages([item]), { ...options, key: () => "k" }));
      assert.equal(error.code, "invalid");
      assert.match(error.message, message);
    }
    // Where no JSON is kept it need not be there.
    const [event] = await poll(pollerOf(pages([item]), { ...brief, key: () => "k" }));
    assert.equal(event?.item, item);
  }
});

test("a key of several lines does not forge lines of the error", async () => {
  const error = await failure(pollerOf(pages([1n]), { key: () => "a\n\x1b[2Jb" }));
  assert.match(error.message, /the item 'a\\n\\x1b\[2Jb'/);
});

test("of two items with one key the last counts, in a page and across pages", async () => {
  const a = (revision: number) => ({ id: "a", revision });
  for (
    const options of [{}, {
      version: (item: unknown) => String((item as { revision: number }).revision),
    }]
  ) {
    for (const given of [pages([a(1), a(2)]), pages([a(1)], [{ id: "b" }], [a(2)])]) {
      const events = await poll(pollerOf(given, options));
      assert.deepEqual(events[0], { type: "added", item: a(2) });
    }
  }
});

test("state whose items are no JSON is refused by restore", async () => {
  const { saveAll } = await import("../../_diff/saved_state.ts");
  const { ItemBuilder } = await import("../../_diff/builder.ts");
  const { Snapshot } = await import("../../_diff/snapshot.ts");
  const stateOf = (mode: string, version: string, json?: string) => {
    const builder = new ItemBuilder();
    builder.add("a", version, json);
    return saveAll(JSON.stringify(["items", "items", mode]), [builder.finish(), Snapshot.empty]);
  };
  const none = pages();
  const json = pollerOf(none);
  const versioned = pollerOf(none, { version: () => "1" });
  for (
    const [poller, state] of [
      [json, stateOf("json", "{")],
      [json, stateOf("json", "")],
      [versioned, stateOf("version", "1", "{")],
      [versioned, stateOf("version", "not JSON")],
    ] as const
  ) {
    assert.throws(() => poller.restore(state), { code: "checkpoint" });
  }
  json.restore(stateOf("json", "{}"));
  versioned.restore(stateOf("version", "not JSON", "{}"));
  pollerOf(none, brief).restore(stateOf("version only", "not JSON"));
});
