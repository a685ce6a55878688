// The core of the tarball, bundled for a browser with all it needs, in a worker of Deno that may do nothing at all.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, test } from "node:test";
import { promisify } from "node:util";
import { bundle, specifierOf, stopBundling } from "./bundle.ts";

const deno = process.env.TEST_DENO ?? "";
const skip = deno === "" && "TEST_DENO names no Deno";

after(stopBundling);

const WORKER = `
import { CollectionPoller, HttpPoller, MemoryCheckpointStore, ObjectStorePoller, watchExternal }
  from ${JSON.stringify(specifierOf("."))};
import { MemoryStore } from ${JSON.stringify(specifierOf("./stores/memory"))};

const store = new MemoryStore();
await store.put("a", new Uint8Array(1));
const sources = [
  new HttpPoller("https://example.com/", { fetch: () => Promise.resolve(Response.json(1)) }),
  new CollectionPoller({ name: "list", key: String, async *list() { yield [1]; } }),
  new ObjectStorePoller(store),
];
const said = [];
for (const source of sources) {
  const checkpoint = new MemoryCheckpointStore();
  for await (const { type } of watchExternal(source, { interval: 1_000, checkpoint })) {
    said.push(type + " " + source.name);
    break;
  }
}
postMessage(said.join(", "));
`;

test("the core runs in a worker without permissions", { skip, timeout: 60_000 }, async (t) => {
  const code = await bundle(WORKER, true);
  const folder = await mkdtemp(join(tmpdir(), "koprs-external-worker-"));
  t.after(() => rm(folder, { recursive: true }));
  const program = join(folder, "main.js");
  await writeFile(
    program,
    `const code = ${JSON.stringify(code)};
    const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
    const worker = new Worker(url, { type: "module" });
    worker.onmessage = ({ data }) => {
      console.log(data);
      worker.terminate();
    };`,
  );
  const args = ["run", "--no-prompt", "--no-config", program];
  const { stdout } = await promisify(execFile)(deno, args, { cwd: folder });
  assert.equal(
    stdout.trim(),
    "added https://example.com/, added list, added memory://",
  );
});
