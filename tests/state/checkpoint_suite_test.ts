// The stores for checkpoints that need no server pass the suite that others can run, too.
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MemoryCheckpointStore } from "@koprs/external/checkpoint";
import { FileCheckpointStore } from "@koprs/external/checkpoints/file";
import { ObjectCheckpointStore } from "@koprs/external/checkpoints/object";
import { MemoryStore } from "@koprs/external/stores/memory";
import { testCheckpointStore } from "@koprs/external/testing";
import { unframe } from "../../_state/owner_line.ts";

testCheckpointStore("MemoryCheckpointStore", () => {
  const store = new MemoryCheckpointStore();
  return Promise.resolve({ store, other: () => store.instance() });
});

testCheckpointStore("FileCheckpointStore", async () => {
  const folder = await mkdtemp(join(tmpdir(), "koprs-external-"));
  const store = new FileCheckpointStore(folder);
  return {
    store,
    other: () => new FileCheckpointStore(folder),
    // In one process, whoever loads a key takes it.
    peek: async (key) => {
      const path = await store.locate(key);
      return existsSync(path) ? unframe(await readFile(path)).state : undefined;
    },
    close: () => rm(folder, { recursive: true, force: true }),
  };
});

testCheckpointStore("ObjectCheckpointStore", () => {
  const bucket = new MemoryStore({ pageSize: 20 });
  const other = () => new ObjectCheckpointStore(bucket);
  return Promise.resolve({ store: other(), other });
});
