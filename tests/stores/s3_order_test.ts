// Servers that list in another order than S3 does: what is found out, and that no key is lost.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ObjectStorePoller } from "@koprs/external/store";
import { S3Store, type S3StoreOptions } from "@koprs/external/stores/s3";
import { isOrderFault } from "../../_listing/order_fault.ts";
import {
  type Bucket,
  bucketOf,
  compareInTree,
  compareUtf8,
  isFault,
  list,
  many,
  pages,
  poll,
  serving,
  warnings,
} from "./_s3_server.ts";

const timeout = 60_000;

/** A folder that ends with a page, a key that comes before it by its bytes, and another folder. */
const IN_TREE = [...many("a/", 9_000), "a-b", ...many("c/", 9_000)];

function added(keys: readonly string[]): string[] {
  return keys.toSorted(compareUtf8).map((key) => `added ${key}`);
}

const orders: readonly (readonly [string, Bucket])[] = [
  ["a tree, going on by places", { keys: IN_TREE }],
  [
    "a tree, going on by places, also behind any key",
    { keys: IN_TREE, isBehind: (key, mark) => compareInTree(key, mark) > 0 },
  ],
  ["a tree with a page of both", { keys: [...many("a/", 1_500), "a-b", ...many("c/", 1_500)] }],
  [
    "UTF-16",
    {
      keys: [...many("k", 2_500), "\u{1f600}", "\u{1f601}/x", "\uff5e", ...many("\uff5f", 1_500)],
      isBehind: (key, mark) => key > mark,
    },
  ],
  ["no order at all", { keys: many("k", 3_500).map((key, i) => `${(i * 7919) % 3_500} ${key}`) }],
];

for (const [name, bucket] of orders) {
  test(
    `listed in the order of ${name}: every key, one listing, one line`,
    { timeout },
    async () => {
      await serving(bucketOf(bucket), async ({ requests, store }) => {
        const { logger, lines } = warnings();
        const subject = store({ logger });
        const poller = new ObjectStorePoller(subject);
        assert.deepEqual(await poll(poller), added(bucket.keys));
        const once = Math.ceil(bucket.keys.length / 1000);
        // A few requests may be spent on finding out whether keys are left out.
        assert.ok(requests.length <= once + 3, `${requests.length} requests for ${once} pages`);
        assert.equal(subject.ranged, false);
        assert.equal(lines.length, 1);
        assert.match(lines[0] ?? "", /s3:\/\/bkt.*ranged: false/);

        requests.length = 0;
        const restored = new ObjectStorePoller(subject);
        restored.restore(poller.save());
        assert.deepEqual(await poll(restored), []);
        assert.equal(requests.length, once);
        assert.equal(lines.length, 1);
      });
    },
  );

  test(`a restart on the order of ${name} removes nothing`, { timeout }, async () => {
    await serving(bucketOf(bucket), async ({ store }) => {
      const { logger } = warnings();
      const poller = new ObjectStorePoller(store({ logger }));
      await poll(poller);
      const restarted = new ObjectStorePoller(store({ logger }));
      restarted.restore(poller.save());
      assert.deepEqual(await poll(restarted), []);
    });
  });
}

test(
  "a range out of order is an order fault, within a page and between two",
  { timeout },
  async () => {
    const { logger } = warnings();
    const faults: (readonly [string[][], Parameters<typeof list>[1]])[] = [
      [[["b", "c", "a"]], { until: "d" }],
      [[["b"], ["c", "b"]], { until: "d" }],
      [[["b", "c"], ["a", "d"]], { until: "d" }],
      [[["b", "c"], ["c", "d"]], { until: "d" }],
    ];
    for (const [all, range] of faults) {
      await serving(pages(...all), async ({ store }) => {
        const subject = store({ ranged: true, logger });
        assert.equal(subject.ranged, true);
        await assert.rejects(list(subject, range), (error) => {
          assert.ok(isOrderFault(error), String(error));
          return isFault("protocol", /ranged: false/)(error);
        });
        assert.equal(subject.ranged, false);
        await assert.rejects(list(subject, range), (error) => isOrderFault(error));
        assert.deepEqual((await list(subject)).toSorted(), all.flat().toSorted());
      });
    }
  },
);

test("a range that begins with a key from before it is one, too", { timeout }, async () => {
  const keys = [...many("a/", 5), "a-b", "c/1"];
  const bucket = { keys, isBehind: (key: string, mark: string) => compareInTree(key, mark) > 0 };
  await serving(bucketOf(bucket), async ({ store }) => {
    await assert.rejects(list(store(), { after: "a/00004" }), (error) => isOrderFault(error));
  });
});

test("a server that begins each range with its very first key is not listed in ranges", {
  timeout,
}, async () => {
  await serving(pages(["b", "c"], ["d", "e"], ["f"]), async ({ store }) => {
    const subject = store();
    assert.deepEqual(await list(subject, { after: "d" }), ["e", "f"]);
    assert.equal(subject.ranged, false);
    const insisting = store({ ranged: true });
    assert.deepEqual(await list(insisting, { after: "d" }), ["e", "f"]);
    assert.equal(insisting.ranged, true);
  });
});

test("a server that leaves out keys where a page ends within a folder is found out", {
  timeout,
}, async () => {
  const bucket: Bucket = {
    keys: [...many("a/", 500), "a-b", ...many("c/", 2_000), "c.d"],
    isBehind: (key, mark) => compareUtf8(key, mark) > 0,
  };
  for (const options of [{}, { ranged: false }] satisfies S3StoreOptions[]) {
    await serving(bucketOf(bucket), async ({ requests, store }) => {
      const { logger } = warnings();
      const subject = store({ ...options, logger });
      for (let i = 0; i < 2; i++) {
        requests.length = 0;
        await assert.rejects(list(subject), isFault("protocol", /leaves out.*'a-b'.*'a\/00499'/));
        assert.equal(requests.length, 3);
      }
    });
  }
});

test(
  "a server that leaves them out on every page is found out by what is beside the first folders",
  {
    timeout,
  },
  async () => {
    const isBehind = (key: string, mark: string) => compareUtf8(key, mark) > 0;
    const all: (readonly [string[], string | undefined])[] = [
      [[...IN_TREE], undefined],
      [[...many("p/q/r/", 2_500), "p/q/r.s"], "p/"],
      [[...many("p/q/r/", 2_500), "p/q-"], "p"],
    ];
    for (const [keys, prefix] of all) {
      const bucket: Bucket = { keys, isBehind };
      await serving(bucketOf(bucket), async ({ store }) => {
        const { logger, lines } = warnings();
        const subject = store({ logger });
        for (let i = 0; i < 2; i++) {
          const listed = list(subject, prefix === undefined ? {} : { prefix });
          await assert.rejects(
            listed,
            isFault("protocol", /leaves out keys.*'(a-b|p\/q\/r\.s|p\/q-)'/),
          );
        }
        assert.equal(lines.length, 1);
        // A larger page has it all.
        keys.sort(compareUtf8);
        assert.equal((await list(subject)).length, keys.length);
      });
    }
  },
);

test(
  "a key that is new beside a folder is no sign, and one listing tells",
  { timeout },
  async () => {
    const keys = [...many("a/b/", 1_500), ...many("c/", 1_000)];
    const answer = bucketOf({ keys });
    await serving((query, response, request) => {
      if (query.get("delimiter") === "/" && query.get("prefix") === "a") keys.unshift("a-new");
      answer(query, response, request);
    }, async ({ requests, store }) => {
      const { logger, lines } = warnings();
      const subject = store({ logger });
      assert.deepEqual(await list(subject), keys.slice(1));
      // Three pages, two folders, and the first page again.
      assert.equal(requests.length, 6);
      assert.deepEqual(lines, []);
      assert.equal(subject.ranged, true);
      requests.length = 0;
      await list(subject);
      assert.equal(requests.length, 3);
    });
  },
);

test("a key that a small page reads otherwise is no sign", { timeout }, async () => {
  // Of one key alone that has a plus it cannot be told whether that is a blank.
  const keys = ["Aé", "a c", ...many("a/", 1_500), ...many("c/", 500)];
  const encode = (key: string) => encodeURIComponent(key).replaceAll("%20", "+");
  await serving(bucketOf({ keys, encode }), async ({ store }) => {
    const { logger, lines } = warnings();
    assert.deepEqual(await list(store({ logger })), keys);
    assert.deepEqual(lines, []);
  });
  const both = ["a c", ...many("a c/", 500), "a c-", ...many("d/", 1_000)];
  await serving(bucketOf({ keys: both, encode }), async ({ store }) => {
    const { logger, lines } = warnings();
    assert.deepEqual(await list(store({ logger })), both);
    assert.equal(lines.length, 1);
  });
});

test("a server that does not heed how many are asked for is not blamed", { timeout }, async () => {
  const all = [["a/1", "a-b"], ["b"]];
  await serving(pages(...all), async ({ requests, store }) => {
    const { logger } = warnings();
    assert.deepEqual(await list(store({ logger })), all.flat());
    assert.equal(requests.length, 3);
  });
});

test("a bucket that said it has no order is not looked at, and has no ranges", async () => {
  const { logger, lines } = warnings();
  let requests = 0;
  const answers = [["b/1", "b-"], ["a"]].map((keys, i) => ({
    IsTruncated: i === 0,
    NextContinuationToken: "next",
    Contents: keys.map((Key) => ({ Key, Size: 1 })),
  }));
  const client = {
    listObjectsV2: ({ ContinuationToken }: { ContinuationToken?: string }) => {
      requests++;
      return Promise.resolve(answers[ContinuationToken === undefined ? 0 : 1] ?? {});
    },
    getObject: () => Promise.resolve({}),
    putObject: () => Promise.resolve({}),
  };
  const quiet = { ...logger, warn: () => {} }; // the client has no stack
  for (
    const [bucket, options] of [
      ["bkt--use1-az4--x-s3", {}],
      ["bkt--usw2-az1--xa-s3", {}],
      ["arn:aws:s3express:us-west-2:1:accesspoint/a", {}],
      ["bkt", { ranged: false }],
    ] as const
  ) {
    const subject = new S3Store(client, bucket, { ...options, logger: quiet });
    requests = 0;
    assert.equal(subject.ranged, false);
    await assert.rejects(list(subject, { after: "a" }), TypeError);
    assert.deepEqual(await list(subject), ["b/1", "b-", "a"]);
    assert.equal(subject.ranged, false);
    // One more, as any server but Amazon's may leave out keys; the client above heeds no number.
    assert.equal(requests, bucket === "bkt" ? 3 : 2);
  }
  await serving(pages(["b", "a"], ["a"]), async ({ store }) => {
    assert.deepEqual(await list(store({ ranged: false, logger })), ["b", "a", "a"]);
    assert.deepEqual(lines, []);
  });
});
