// Processes that take a checkpoint over from one that is frozen, and thaws later: in a bucket of MinIO, and in a folder.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, before, describe, test } from "node:test";
import { ClaimProcess, freezeBeforeSave, freezeWatches } from "./_claim_process.ts";
import type { ClaimPlace } from "./_claim_worker.ts";
import { type MinioServer, missingMinio, startMinio } from "./minio.ts";

const timeout = 60_000;
const noFreeze = process.platform !== "linux" && "needs /proc";

describe("a bucket of MinIO", { skip: noFreeze || (await missingMinio() ?? false) }, () => {
  let server: MinioServer;
  let place: ClaimPlace;
  before(async () => {
    server = await startMinio();
    await server.createBucket("state");
    const { endpoint, region, credentials } = server;
    const client = { endpoint, region, credentials, forcePathStyle: true };
    place = { kind: "s3", client, bucket: "state" };
  });
  after(() => server?.stop());

  test(
    "frozen between its claim and its save, it overwrites nothing and ends",
    { timeout },
    (t) => freezeBeforeSave(t, place),
  );

  test("watches frozen while they save: each ends when it thaws", { timeout }, async (t) => {
    t.diagnostic(`${await freezeWatches(t, place, 4)} numbers saved`);
  });
});

test("a folder: while its process is frozen nobody else gets it, and then it goes on", {
  timeout,
  skip: noFreeze,
}, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "koprs-external-"));
  const place: ClaimPlace = { kind: "folder", folder };
  const first = new ClaimProcess(t, { place, key: "freeze", watch: false });
  t.after(() => rm(folder, { recursive: true, force: true }));
  await first.tells("claimed");
  first.save();
  await first.tells("saved");
  await first.freeze();
  const second = new ClaimProcess(t, { place, key: "freeze", watch: false });
  const { failed, message } = await second.tells("failed");
  assert.equal(failed, "checkpoint");
  assert.match(message, /another process uses the folder/);
  first.thaw();
  first.save();
  assert.deepEqual(await first.tells("saved", 2), { saved: 2 });
});
