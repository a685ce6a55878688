// A typed configuration that survives a restart while its server is down: `current` is restored from the checkpoint.
import { HttpPoller, type StandardSchemaV1 } from "@koprs/external/http";
import { MemoryCheckpointStore } from "@koprs/external/checkpoints/memory";
import { watchExternal } from "@koprs/external/watcher";
import { serve } from "./_server.ts";

interface Config {
  readonly replicas: number;
}

// Written by hand; a schema of zod, valibot or arktype works the same way.
const schema: StandardSchemaV1<unknown, Config> = {
  "~standard": {
    version: 1,
    vendor: "example",
    validate(value) {
      const { replicas } = (value ?? {}) as Partial<Config>;
      return typeof replicas === "number"
        ? { value: { replicas } }
        : { issues: [{ message: "must be a number", path: ["replicas"] }] };
    },
  },
};

const server = await serve((_, response) => void response.end('{"replicas": 3}'));
const url = `${server.url}/config.json`;
const checkpoint = new MemoryCheckpointStore(); // On disk: FileCheckpointStore.

/** Starts one run of the program. */
function start() {
  const config = new HttpPoller(url, { schema, remember: "body" });
  return {
    config,
    watch: watchExternal(config, { interval: 1_000, checkpoint, logger: false }),
  };
}

const first = start();
for await (const event of first.watch) {
  console.log(event.type, event.item.value.replicas); // added 3
  first.watch.close(); // The loop ends once the event is handled and saved.
}
await server.close();

const second = start();
const reader = second.watch.getReader();
const pending = reader.read();
while (second.watch.status.failures === 0) await new Promise((resolve) => setTimeout(resolve, 10));
console.log("the server is down, and yet:", second.config.current?.value.replicas); // 3
await reader.cancel();
await pending;
