// S3Store on clients whose answers cannot be had before the SDK parses them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type ListObjectsV2CommandInput, S3 } from "@aws-sdk/client-s3";
import { S3Store } from "@koprs/external/stores/s3";
import { isFault, list, pages, serving } from "./_s3_server.ts";

const timeout = 30_000;

test("a client whose stack is closed works by the SDK's parser, with one line in the log", {
  timeout,
}, async () => {
  /** Cannot be used through a copy. */
  class Private extends S3 {
    #calls = 0;
    get calls(): number {
      return this.#calls;
    }
    // deno-lint-ignore no-explicit-any -- the overloads of the class
    override listObjectsV2(...call: any[]): any {
      this.#calls++;
      return Reflect.apply(S3.prototype.listObjectsV2, this, call);
    }
  }
  const odd = ["%2F", "+", "a b", "ü\u{1F600}", "\ufeff"].sort();
  await serving(pages(odd, ["\uffff"]), async ({ client, config, store }) => {
    const expected = await Array.fromAsync(store().list());
    const plain = {
      listObjectsV2: client.listObjectsV2.bind(client),
      getObject: client.getObject.bind(client),
      putObject: client.putObject.bind(client),
    };
    const stackOnly = { ...plain, middlewareStack: client.middlewareStack };
    const withPrivate = new Private(config);
    for (const other of [plain, stackOnly, withPrivate]) {
      const lines: string[] = [];
      const logger = {
        debug() {},
        info() {},
        error() {},
        warn: (line: string) => lines.push(line),
      };
      const slow = new S3Store(other, "bkt", { logger });
      assert.deepEqual(await Array.fromAsync(slow.list()), expected);
      assert.deepEqual(await Array.fromAsync(slow.list()), expected);
      assert.equal(lines.length, 1);
      assert.match(lines[0] ?? "", /s3:\/\/bkt.*slower/);
    }
    assert.equal(withPrivate.calls, 4);
  });
});

test(
  "a page that does not pass the tap is not mistaken for the one before",
  { timeout },
  async () => {
    await serving(pages(["a"], ["b"], ["c"]), async ({ client }) => {
      const evasive: S3 = Object.create(client, {
        listObjectsV2: {
          value(this: S3, input: ListObjectsV2CommandInput, options: object) {
            const self = input.ContinuationToken === "1" ? client : this;
            return Reflect.apply(S3.prototype.listObjectsV2, self, [input, options]);
          },
        },
      });
      assert.deepEqual(await list(new S3Store(evasive, "bkt")), ["a", "b", "c"]);
    });
  },
);

test("the fallback is as strict", { timeout }, async () => {
  const client = (output: object) => ({
    listObjectsV2: () => Promise.resolve(output),
    getObject: () => Promise.resolve({}),
    putObject: () => Promise.resolve({}),
  });
  const wrong: [object, RegExp][] = [
    [{}, /IsTruncated/],
    [{ IsTruncated: false, Contents: [{ Size: 1 }] }, /without a key/],
    [{ IsTruncated: false, Contents: [{ Key: "a" }] }, /without a size/],
    [{ IsTruncated: true, Contents: [{ Key: "a", Size: 1 }] }, /NextContinuationToken/],
    [
      {
        IsTruncated: false,
        EncodingType: "url",
        Contents: [{ Key: "%F", Size: 1 }, { Key: "a%20b", Size: 1 }],
      },
      /encodes some and not others/,
    ],
  ];
  for (const [output, pattern] of wrong) {
    await assert.rejects(list(new S3Store(client(output), "bkt")), isFault("protocol", pattern));
  }
});

test(
  "a folder without a size is empty, anything else without one is named",
  { timeout },
  async () => {
    const client = (...keys: string[]) => ({
      listObjectsV2: () =>
        Promise.resolve({ IsTruncated: false, Contents: keys.map((Key) => ({ Key })) }),
      getObject: () => Promise.resolve({}),
      putObject: () => Promise.resolve({}),
    });
    const [page] = await Array.fromAsync(new S3Store(client("d/", "d/e/"), "bkt").list());
    assert.deepEqual(page, [{ key: "d/", size: 0 }, { key: "d/e/", size: 0 }]);
    await assert.rejects(
      list(new S3Store(client("d/", "d/file"), "bkt")),
      isFault("protocol", /without a size.*'d\/file'/),
    );
  },
);

test("keys that are no UTF-8 of a string are an error, halves of surrogate pairs are none", async () => {
  const client = (Key: string) => ({
    listObjectsV2: () =>
      Promise.resolve({ IsTruncated: false, EncodingType: "url", Contents: [{ Key, Size: 1 }] }),
    getObject: () => Promise.resolve({}),
    putObject: () => Promise.resolve({}),
  });
  assert.deepEqual(await list(new S3Store(client("a%ED%A0%80b"), "bkt")), ["a\ud800b"]);
  await assert.rejects(list(new S3Store(client("a%FF"), "bkt")), isFault("protocol", /UTF-8/));
});
