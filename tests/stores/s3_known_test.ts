// When ranges are asked for, and what is noticed of the server in each answer.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ObjectStorePoller } from "@koprs/external/store";
import type { S3StoreOptions } from "@koprs/external/stores/s3";
import {
  type Bucket,
  bucketOf,
  compareUtf8,
  isFault,
  list,
  listing,
  many,
  pages,
  poll,
  serving,
  warnings,
} from "./_s3_server.ts";

const timeout = 60_000;

test("ranges are used once the server is known", { timeout }, async () => {
  const keys = many("k/", 2_500);
  const ranged = async (bucket: Partial<Bucket>, options?: S3StoreOptions) => {
    const seen: unknown[] = [];
    await serving(bucketOf({ keys, ...bucket }), async ({ store }) => {
      const subject = store(options);
      assert.notEqual(await subject.identity(), "");
      seen.push(subject.ranged);
      for await (const _ of subject.list()) seen.push(subject.ranged);
      seen.push(subject.ranged);
    });
    return seen;
  };
  const stamped = (stamp: string, encode: (text: string) => string) => ({
    write: (key: string) => encode(`${key}${stamp}`),
    read: (token: string) => (token.includes("[") ? token : atob(token)).replace(stamp, ""),
  });
  const no = undefined;
  assert.deepEqual(await ranged({}), [no, no, no, no, true]);
  assert.deepEqual(await ranged({ server: "AmazonS3" }), [no, true, true, true, true]);
  assert.deepEqual(await ranged({ server: "MinIO" }), [no, false, false, false, false]);
  assert.deepEqual(await ranged({ server: "RustFS" }), [no, false, false, false, false]);
  const minio = stamped("[minio_cache:v2,return:]", btoa);
  assert.deepEqual(await ranged({ token: minio }), [no, false, false, false, false]);
  const rustfs = stamped("[rustfs_cache:v1]", (text) => text);
  assert.deepEqual(await ranged({ token: rustfs }), [no, false, false, false, false]);
  assert.deepEqual(await ranged({ token: minio }, { ranged: true }), [
    true,
    true,
    true,
    true,
    true,
  ]);
  assert.deepEqual(await ranged({ keys: many("k", 10) }), [no, no, no]);
});

test("no range is asked for before MinIO is known, also after a restart", { timeout }, async () => {
  const token = {
    write: (key: string) => btoa(`${key}[minio_cache:v2]`),
    read: (text: string) => atob(text).replace("[minio_cache:v2]", ""),
  };
  // As MinIO of mid-2025 does: the key behind a mark that is gone is skipped.
  const bucket: Bucket = { keys: many("k/", 12_000), token };
  const skipped = new Map<string, string>();
  bucket.isBehind = (key, mark) => {
    let from = skipped.get(mark);
    if (from === undefined) {
      from = bucket.keys.includes(mark) ? mark : bucket.keys.find((other) => other > mark) ?? "";
      skipped.set(mark, from);
    }
    return key > from;
  };
  await serving(bucketOf(bucket), async ({ requests, store }) => {
    const first = new ObjectStorePoller(store());
    await poll(first);
    // Every cut that can be made from what is known is gone.
    bucket.keys = bucket.keys.filter((_, i) => i % 1_000 > 2 && i % 1_000 < 997);
    skipped.clear();
    const restarted = new ObjectStorePoller(store());
    restarted.restore(first.save());
    requests.length = 0;
    const events = await poll(restarted);
    assert.equal(events.length, 12_000 - bucket.keys.length);
    assert.ok(events.every((event) => !bucket.keys.includes(event.replace(/^\w+ /, ""))));
    assert.deepEqual(requests.filter(({ query }) => query.has("start-after")), []);
  });
});

test("a prefix that the server ignores is noticed on every page", { timeout }, async () => {
  const keys = [...many("p/", 1_500), "q"];
  await serving(bucketOf({ keys, anyPrefix: true }), async ({ store }) => {
    for (const options of [{}, { ranged: false }]) {
      const listed = list(store(options), { prefix: "p/" });
      await assert.rejects(listed, isFault("protocol", /ignores 'prefix'.*'p\/?'.*'q'/));
    }
    assert.equal((await list(store(), { prefix: "" })).length, keys.length);
  });
  await serving(pages(["p/1", "x", "p/2"]), async ({ store }) => {
    const listed = list(store({ ranged: false }), { prefix: "p/" });
    await assert.rejects(listed, isFault("protocol", /lists 'x'/));
  });
  await serving(pages(["p", "pq"]), async ({ store }) => {
    await assert.rejects(list(store(), { prefix: "pq" }), isFault("protocol", /lists 'p'/));
  });
});

test(
  "a token that is the encoding of the last key is no token: the listing goes on behind the key",
  {
    timeout,
  },
  async () => {
    // S3Proxy encodes its tokens and does not decode them.
    const keys = ["100%", "a b", "a%20b", "a+b", "p q", "p%20q", "ä/ö", "\uff5e"].toSorted(
      compareUtf8,
    );
    const encodings = [
      encodeURIComponent,
      (key: string) => encodeURIComponent(key).replaceAll("%20", "+"),
      (key: string) => encodeURIComponent(key).replaceAll("%2F", "/").replaceAll("%2B", "+"),
    ];
    for (const write of encodings) {
      const token = { write, read: (text: string) => text };
      const isBehind = (key: string, mark: string) => compareUtf8(key, mark) > 0;
      for (let pageSize = 1; pageSize < keys.length; pageSize++) {
        await serving(bucketOf({ keys, token, isBehind }), async ({ store }) => {
          const { logger, lines } = warnings();
          assert.deepEqual(await list(store({ pageSize, logger })), keys);
          assert.deepEqual(lines, []);
        });
      }
    }
    // A token that has another meaning, or is the last key as it is, goes back as it came.
    const token = { write: (key: string) => `%41 ${key}`, read: (text: string) => text.slice(4) };
    for (const other of [token, { write: (key: string) => key, read: (text: string) => text }]) {
      await serving(bucketOf({ keys, token: other }), async ({ requests, store }) => {
        assert.deepEqual(await list(store({ pageSize: 1 })), keys);
        assert.deepEqual(requests.filter(({ query }) => query.has("start-after")), []);
      });
    }
  },
);

test("keys with halves of surrogate pairs are listed in ranges, in the order of their bytes", {
  timeout,
}, async () => {
  const keys = ["a", "\ud7ff", "\ud800", "\ud800x", "\udbff", "\udfff", "\ue000", "\u{10000}"];
  /** As bytes, of which S3 knows no other than UTF-8. */
  const encode = (key: string) =>
    /^[\ud800-\udfff]/.test(key) && !key.isWellFormed()
      ? `%ED%${(0x80 | key.charCodeAt(0) >> 6 & 0x3f).toString(16)}%${
        (0x80 | key.charCodeAt(0) & 0x3f).toString(16)
      }${key.slice(1)}`
      : encodeURIComponent(key);
  await serving((query, response) => {
    const after = query.get("start-after") ?? "";
    const behind = keys.filter((key) =>
      after === "" || after === "\ud7ff" && key > "\ud7ff" || after < "\ud7ff" && key > after
    );
    response.end(listing(behind, undefined, encode));
  }, async ({ requests, store }) => {
    for (let from = 0; from < keys.length - 1; from++) {
      const after = keys[from] ?? "";
      const until = keys.at(-2) ?? "";
      if (after > "\udfff") continue; // the server above knows no more
      const expected = keys.slice(from + 1, -1);
      assert.deepEqual(await list(store(), { after, until }), expected, JSON.stringify(after));
    }
    assert.ok(requests.every(({ query }) => query.get("start-after")?.isWellFormed() !== false));
    await assert.rejects(list(store(), { prefix: "a\ud800" }), TypeError);
  });
});
