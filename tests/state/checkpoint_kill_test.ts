// C2 and E2 in small: a program that is killed at any moment loses nothing. More of it in servers/checkpoint_kill_test.ts.
import { join } from "node:path";
import { test } from "node:test";
import { liveAndDie } from "./_kill.ts";
import { folderWorld, temporaryFolder } from "./_kill_worlds.ts";
import { mkdirSync } from "node:fs";

for (const handlers of [undefined, 16]) {
  const how = handlers === undefined ? "C2: killed" : `E2: ${handlers} handlers, killed`;
  test(`${how} again and again over a folder, nothing is lost`, { timeout: 60_000 }, async (t) => {
    const base = await temporaryFolder(t);
    const folder = join(base, "watched");
    mkdirSync(folder);
    await liveAndDie({
      options: {
        target: { kind: "local", folder },
        checkpoint: { folder: join(base, "state") },
        log: join(base, "log"),
        interval: 2,
        pause: 1,
        ...(handlers !== undefined && { handlers, poison: true }),
      },
      world: folderWorld(folder, 60),
      seed: 1,
      count: handlers === undefined ? 18 : 12,
      least: 100,
      changes: 60,
      longest: 150,
    });
  });
}
