// C2: programs that are killed at any moment, over a folder, an S3 bucket and an HTTP resource, with their state
// in a folder and in the bucket itself; and a rolling update, in which the old and the new overlap.
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { S3 } from "@aws-sdk/client-s3";
import { S3Store } from "@koprs/external/stores/s3";
import { serve } from "../http/_http_server.ts";
import {
  Life,
  liveAndDie,
  randomNumbers,
  readLog,
  type WorkerOptions,
  type World,
} from "../state/_kill.ts";
import { folderWorld, objectsOf, resourceWorld, temporaryFolder } from "../state/_kill_worlds.ts";
import { missingMinio, startMinio } from "./minio.ts";

const timeout = 120_000;
const noMinio = await missingMinio() ?? false;

test("C2: killed over a folder, thousands of changes", { timeout }, async (t) => {
  const base = await temporaryFolder(t);
  const folder = join(base, "watched");
  mkdirSync(folder);
  await liveAndDie({
    options: {
      target: { kind: "local", folder },
      checkpoint: { folder: join(base, "state") },
      log: join(base, "log"),
      interval: 2,
      pause: 0,
    },
    world: folderWorld(folder, 400),
    seed: 2,
    count: 42,
    least: 2_000,
    changes: 400,
    longest: 250,
  });
});

test("C2: killed over an HTTP resource", { timeout }, async (t) => {
  const base = await temporaryFolder(t);
  const world = resourceWorld();
  const server = await serve(t, world.handler);
  await liveAndDie({
    options: {
      target: { kind: "http", url: `${server.origin}/config` },
      checkpoint: { folder: join(base, "state") },
      log: join(base, "log"),
      interval: 2,
      pause: 10,
    },
    world,
    seed: 3,
    count: 36,
    least: 100,
    changes: 120,
    longest: 300,
  });
});

interface Bucket {
  readonly world: World;
  readonly options: WorkerOptions;
}

/** A bucket of a new MinIO, watched under `data/`. */
async function bucket(t: { after(callback: () => unknown): void }): Promise<Bucket> {
  // Not `temporaryFolder`: the server must be stopped first.
  const base = await mkdtemp(join(tmpdir(), "koprs-external-"));
  const server = await startMinio();
  await server.createBucket("watched");
  const client = {
    endpoint: server.endpoint,
    region: server.region,
    credentials: server.credentials,
    forcePathStyle: true,
  };
  const s3 = new S3(client);
  t.after(async () => {
    s3.destroy();
    await server.stop();
    await rm(base, { recursive: true, force: true });
  });
  const store = new S3Store(s3, "watched");
  const there = new Set<string>();
  let written = 0;
  return {
    world: {
      async change(count, random) {
        const changes = new Map<string, string | undefined>();
        for (let i = 0; i < count; i++) {
          const key = `data/object ${Math.floor(random() * 300)}`;
          changes.set(key, random() < 0.4 && there.has(key) ? undefined : `${++written}`);
        }
        await Promise.all(
          [...changes].map(async ([Key, Body]) => {
            if (Body === undefined) {
              there.delete(Key);
              await s3.deleteObject({ Bucket: "watched", Key });
            } else {
              there.add(Key);
              await s3.putObject({ Bucket: "watched", Key, Body });
            }
          }),
        );
      },
      reality: () => objectsOf(store, "data/"),
    },
    options: {
      target: { kind: "s3", bucket: "watched", client },
      checkpoint: { prefix: "state/" },
      log: join(base, "log"),
      interval: 2,
      pause: 1,
    },
  };
}

test("C2: killed over S3, the state in a folder", { timeout, skip: noMinio }, async (t) => {
  const { world, options } = await bucket(t);
  await liveAndDie({
    options: { ...options, checkpoint: { folder: await temporaryFolder(t) } },
    world,
    seed: 4,
    count: 18,
    least: 500,
    changes: 160,
    longest: 400,
  });
});

test(
  "C2: killed over S3, the state in the bucket itself",
  { timeout, skip: noMinio },
  async (t) => {
    const { world, options } = await bucket(t);
    await liveAndDie({
      options,
      world,
      seed: 5,
      count: 18,
      least: 500,
      changes: 160,
      longest: 400,
    });
  },
);

test("E2: killed over S3 with 16 handlers, of which some fail, and some always", {
  timeout,
  skip: noMinio,
}, async (t) => {
  const { world, options } = await bucket(t);
  await liveAndDie({
    options: { ...options, pause: 2, handlers: 16, poison: true },
    world,
    seed: 8,
    count: 12,
    least: 500,
    changes: 160,
    longest: 400,
  });
});

test("C2: a rolling update, the state in a folder: the new one says why it cannot start", {
  timeout,
}, async (t) => {
  const base = await temporaryFolder(t);
  const folder = join(base, "watched");
  mkdirSync(folder);
  const options: WorkerOptions = {
    target: { kind: "local", folder },
    checkpoint: { folder: join(base, "state") },
    log: join(base, "log"),
    interval: 2,
    pause: 0,
  };
  const world = folderWorld(folder, 50);
  const random = randomNumbers(6);
  await world.change(50, random);
  const old = new Life(options);
  try {
    await old.says("synced");
    const early = new Life(options);
    await early.says("ended");
    await early.ended();
    assert.equal(early.exitCode, 3);
    assert.match(
      readLog(options.log).find(({ type }) => type === "ended")?.message ?? "",
      /^Cannot keep checkpoints in '.*state' as another process uses the folder: end that process/,
    );
    await world.change(30, random);
    await old.says("poll", 10);
  } finally {
    await old.kill();
  }
  await world.change(30, random);
  const next = new Life(options);
  try {
    await next.says("synced");
  } finally {
    await next.kill();
  }
  const known = new Map<string, string>();
  for (const { type, key, version } of readLog(options.log)) {
    if (type === "removed") known.delete(key);
    else if (key !== undefined) known.set(key, version);
  }
  assert.deepEqual(new Map([...known].sort()), new Map([...await world.reality()].sort()));
});

test("C2: rolling updates, the state in the bucket: one of two goes on, the other says why not", {
  timeout,
  skip: noMinio,
}, async (t) => {
  const { world, options } = await bucket(t);
  const random = randomNumbers(7);
  let running = new Life(options);
  await running.says("synced");
  try {
    for (let update = 1; update <= 4; update++) {
      const next = new Life(options);
      await next.says("synced"); // Nothing has changed: neither has saved since the other loaded.
      let loser: Life | undefined;
      const ended = Promise.race([running, next].map(async (life) => {
        await life.ended();
        loser = life;
      }));
      // Each change is saved by one of them, and with that the other one ends, unless both save the same.
      while (loser === undefined) {
        await world.change(60, random);
        await Promise.race([ended, running.saysAgain("poll", 3).catch(() => ended)]);
      }
      assert.equal(loser.exitCode, 3);
      running = loser === running ? next : running;
      await world.change(20, random);
      if (update % 2 === 0) {
        // The supervisor starts the loser again: now it goes on from newer state.
        await running.kill();
        running = new Life(options);
      }
      // By the second it has saved what it found in the first: the next one must not load before.
      await running.saysAgain("poll", 3);
    }
  } finally {
    await running.kill();
  }
  // While two report, an old state may be reported behind a newer one. But each last state was reported, by
  // one of them, and each that is gone was reported as removed.
  const last = new Life(options);
  try {
    await last.says("synced");
  } finally {
    await last.kill();
  }
  const lines = readLog(options.log);
  const reality = await world.reality();
  const told = new Set(
    lines.map(({ type, key, version }) => type === "removed" ? "" : `${key} ${version}`),
  );
  for (const [key, version] of reality) assert(told.has(`${key} ${version}`), `${key} was lost`);
  const removed = new Set(lines.filter(({ type }) => type === "removed").map(({ key }) => key));
  for (const { key } of lines) {
    if (key !== undefined && !reality.has(key)) assert(removed.has(key), `${key}: never removed`);
  }
  const losers = lines.filter(({ type }) => type === "ended");
  assert.equal(losers.length, 4);
  for (const { message } of losers) {
    assert.match(
      message ?? "",
      /^Cannot save the checkpoint of 's3:.* another process has written it since/,
    );
  }
});
