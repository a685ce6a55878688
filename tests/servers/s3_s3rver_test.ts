// S3Store on s3rver, which lists a tree of folders, and leaves out keys where a page ends within one: that is noticed, and so
// the conformance suite cannot pass.
import assert from "node:assert/strict";
import { test } from "node:test";
import { S3Store } from "@koprs/external/stores/s3";
import { missingServer, s3rverServer, startS3Server } from "./s3_servers.ts";

const timeout = 60_000;

test("s3rver leaves out keys where a page ends within a folder", { timeout }, async (t) => {
  const missing = await missingServer(s3rverServer);
  if (missing !== undefined) return t.skip(missing);
  const server = await startS3Server(s3rverServer);
  const client = server.connect();
  const list = async (store: S3Store) =>
    (await Array.fromAsync(store.list())).flat().map(({ key }) => key);
  try {
    const Bucket = "bucket";
    await client.createBucket({ Bucket });
    for (const Key of ["a/1", "a/2", "a/3", "a-b", "c"]) {
      await client.putObject({ Bucket, Key, Body: Key });
    }
    const logger = { debug() {}, info() {}, error() {}, warn() {} };
    for (const pageSize of [1, 2, 3, 4]) {
      const store = new S3Store(client, Bucket, { pageSize, logger });
      await assert.rejects(list(store), {
        code: "protocol",
        message: /leaves out keys where a page ends within a folder: 'a-b'/,
      });
    }
    // One page has them all.
    const store = new S3Store(client, Bucket, { logger });
    assert.deepEqual(await list(store), ["a/1", "a/2", "a/3", "a-b", "c"]);
    assert.equal(store.ranged, false);
    // It ignores the condition of a read.
    await assert.rejects(store.get("c", { ifMatch: '"other"' }), { code: "store", status: 412 });
  } finally {
    client.destroy();
    await server.stop();
  }
});
