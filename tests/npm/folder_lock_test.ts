// Runs on Node and Bun: a Deno process, with the right to one folder alone, and this one keep each other out of it.
import assert from "node:assert/strict";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { FileCheckpointStore } from "@koprs/external/checkpoints/file";
import { bytes, KEY, loaded, Program, temporaryFolder } from "../state/_program.ts";

const deno = process.env.TEST_DENO;
const skip = deno === undefined && "TEST_DENO names no Deno";

test(
  "Deno and this runtime keep each other out of a folder",
  { skip, timeout: 60_000 },
  async (t) => {
    const folder = join(await temporaryFolder(t), "state");
    const rights = [`--allow-read=${folder}`, `--allow-write=${folder}`];
    const command = [deno ?? "", "run", "--no-prompt", "--no-check", ...rights];
    const holder = new Program({ folder, states: ["of Deno"], stay: true }, { command });
    t.after(() => holder.kill());
    await holder.says("saved");
    await assert.rejects(loaded(folder), { message: /another process uses the folder/ });
    await holder.kill();
    assert.equal(await loaded(folder), "of Deno");
    await new FileCheckpointStore(folder).save(KEY, bytes("of this one"));
    const second = await new Program({ folder, states: ["second"] }, { command }).end();
    assert.match(second, /^failed ExternalError checkpoint .* another process uses the folder/m);
    assert.equal(await loaded(folder), "of this one");
  },
);
