// The command-line program on real stores: what it copies, and what a second run finds.
import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { Cli } from "../cli/_program.ts";
import { missingAzurite, startAzurite } from "./azurite.ts";
import { missingFakeGcs, startFakeGcs } from "./gcs.ts";
import { missingMinio, startMinio } from "./minio.ts";
import { missingRcloneWebDav, startRcloneWebDav } from "./webdav.ts";

const timeout = 120_000;

interface Place {
  readonly target: string;
  readonly options?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Copies what is below `in/`, and tells in a second run what has become of it. */
async function check(
  t: TestContext,
  { target, options = [], env = {} }: Place,
  put: (key: string, body: string) => Promise<unknown>,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "koprs-cli-"));
  t.after(() => rm(folder, { recursive: true }));
  const copies = join(folder, "copies");
  const run = async () => {
    const state = ["--checkpoint", join(folder, "state"), "--download", copies];
    const { code, stdout, stderr } = await new Cli(t, [
      target,
      "--once",
      "--json",
      ...state,
      ...options,
    ], env).ended;
    assert.equal(code, 0, stderr);
    return stdout.trim().split("\n").filter((line) => line !== "").map((line) => {
      const { type, key } = JSON.parse(line);
      return `${type} ${key}`;
    });
  };
  await put("in/a.txt", "one");
  await put("in/b c+d.txt", "two");
  assert.deepEqual(await run(), ["added in/a.txt", "added in/b c+d.txt"]);
  assert.equal(await readFile(join(copies, "in/b c+d.txt"), "utf8"), "two");
  await put("in/a.txt", "three");
  assert.deepEqual(await run(), ["modified in/a.txt"]);
  assert.equal(await readFile(join(copies, "in/a.txt"), "utf8"), "three");
}

const missing = {
  minio: await missingMinio(),
  gcs: await missingFakeGcs(),
  azurite: await missingAzurite(),
  rclone: await missingRcloneWebDav(),
};

test("the program on MinIO", { timeout, skip: missing.minio ?? false }, async (t) => {
  const server = await startMinio();
  t.after(() => server.stop());
  await server.createBucket("bucket");
  const { accessKeyId, secretAccessKey } = server.credentials;
  await check(t, {
    target: "s3://bucket/in/",
    options: ["--endpoint", server.endpoint],
    env: {
      AWS_REGION: server.region,
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
    },
  }, (key, body) => server.putMany("bucket", [{ key, body }]));
});

test("the program on fake-gcs-server", { timeout, skip: missing.gcs ?? false }, async (t) => {
  const server = await startFakeGcs();
  t.after(() => server.stop());
  await server.createBucket("bucket");
  await check(t, {
    target: "gs://bucket/in/",
    options: ["--endpoint", server.endpoint],
    env: { GOOGLE_CLOUD_PROJECT: server.projectId },
  }, (key, body) => server.putMany("bucket", [{ key, body }]));
});

test("the program on Azurite", { timeout, skip: missing.azurite ?? false }, async (t) => {
  const { BlobServiceClient } = await import("@azure/storage-blob");
  const server = await startAzurite();
  t.after(() => server.stop());
  const { connectionString, accountName } = server;
  const container = BlobServiceClient.fromConnectionString(connectionString)
    .getContainerClient("bucket");
  await container.create();
  await check(t, {
    target: `az://${accountName}/bucket/in/`,
    env: { AZURE_STORAGE_CONNECTION_STRING: connectionString },
  }, (key, body) => container.getBlockBlobClient(key).upload(body, body.length));
});

test("the program on rclone's WebDAV", { timeout, skip: missing.rclone ?? false }, async (t) => {
  const server = await startRcloneWebDav({ contentEtag: true });
  t.after(() => server.stop());
  await mkdir(join(server.root, "in"));
  await check(
    t,
    { target: `dav+${server.url}` },
    (key, body) => writeFile(join(server.root, key), body),
  );
});
