// FileCheckpointStore on Deno with the right to one folder alone, as root and as another user.
import assert from "node:assert/strict";
import { chmodSync, chownSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { isDeno } from "../watch/_watch.ts";
import { loaded, NOBODY, Program, skipNobody, temporaryFolder } from "./_program.ts";

const timeout = 60_000;
const skipDeno = isDeno ? false : "about Deno's permissions";
const nobody = isDeno ? skipNobody() : skipDeno;

for (
  const [who, user, skip] of [["this user", undefined, skipDeno], [
    "nobody",
    NOBODY,
    nobody,
  ]] as const
) {
  test(`as ${who}: the folder is made, held and let go of by kill -9, and no state is torn`, {
    timeout,
    skip,
  }, async (t) => {
    const base = await temporaryFolder(t);
    chmodSync(base, 0o700);
    if (user !== undefined) chownSync(base, user, user);
    const folder = join(base, "a/state");
    const permissions = [`--allow-read=${folder}`, `--allow-write=${folder}`];
    const how = { permissions, ...user !== undefined && { user } };
    let last = 0;
    for (let life = 0; life < 4; life++) {
      const program = new Program({ folder, states: [], forever: true }, how);
      t.after(() => program.kill());
      const before = await program.says("loaded");
      if (life > 0) assert(Number(before) >= 1);
      await program.says("number 9");
      const second = await new Program({ folder, states: ["second"] }, how).end();
      assert.match(second, /^failed ExternalError checkpoint .* another process uses the folder/m);
      await program.kill();
      last = Number(/number (\d+)\n[^\n]*$/.exec(program.output)?.[1]);
      const reader = new Program({ folder, states: [], whole: true }, how);
      const [number = "", lines] = (await reader.says("whole")).split(" ");
      // One that was killed just behind its rename may be one more than was told.
      assert(Number(number) === last || Number(number) === last + 1, `${number} behind ${last}`);
      assert.equal(Number(lines), 1_000 + Number(number) * 7_919 % 50_000);
      await reader.end();
    }
  });
}

test(
  "a right that is missing ends the watch, and is named",
  { timeout, skip: skipDeno },
  async (t) => {
    const folder = join(await temporaryFolder(t), "state");
    mkdirSync(folder, { mode: 0o700 });
    for (const [given, missing] of [["read", "write"], ["write", "read"]]) {
      const output = await new Program({ folder, states: ["1"] }, {
        permissions: [`--allow-${given}=${folder}`],
      }).end();
      assert.match(
        output,
        new RegExp(
          `^failed ExternalError checkpoint Cannot keep checkpoints in .*--allow-${missing}`,
          "m",
        ),
      );
    }
    assert.equal(await loaded(folder), undefined);
  },
);
