/**
 * Watches a bucket of Google Cloud Storage, and reads what changed.
 *
 *     deno run -A examples/store_gcs.ts my-bucket [prefix]
 *
 * Credentials come from where the SDK looks: GOOGLE_APPLICATION_CREDENTIALS, or the machine's own account.
 * Without arguments it starts a server of its own (fake-gcs-server), changes a bucket there, and ends.
 */
import { Storage } from "@google-cloud/storage";
import { ObjectStorePoller, watchExternal } from "@koprs/external";
import { GcsStore } from "@koprs/external/stores/gcs";
import { missingFakeGcs, startFakeGcs } from "../tests/servers/gcs.ts";

async function watch(store: GcsStore, prefix: string, interval: number, steps?: Steps) {
  const watch = watchExternal(new ObjectStorePoller(store, { prefix }), {
    interval,
    onError: (error) => console.error(error.message),
  });
  for await (const { type, item } of watch) {
    console.log(type.padEnd(8), item.key, item.size, item.etag ?? "");
    if (type !== "removed") {
      // Of this very generation: if the object has changed since, this fails, and the next poll tells of it.
      const content = await store.get(item.key, { ifMatch: item.etag });
      console.log("        ", (await new Response(content).text()).slice(0, 60));
    }
    if (steps === undefined) continue;
    const step = steps.shift();
    if (step === undefined) break;
    await step();
  }
}

/** What the demonstration does after each event; it ends with the event after the last. */
type Steps = (() => Promise<unknown>)[];

const [bucket, prefix = ""] = Deno.args;
if (bucket !== undefined) {
  // The watch retries by itself: the client's own retries would only keep it from saying so.
  const storage = new Storage({ retryOptions: { maxRetries: 1 } });
  await watch(new GcsStore(storage.bucket(bucket)), prefix, 30_000);
} else {
  await demonstrate();
}

async function demonstrate() {
  const missing = await missingFakeGcs();
  if (missing !== undefined) return console.log(`No demonstration: ${missing}`);
  const server = await startFakeGcs();
  try {
    await server.createBucket("settings");
    const storage = new Storage({ apiEndpoint: server.endpoint, projectId: server.projectId });
    const bucket = storage.bucket("settings");
    const file = bucket.file("app/limits.json");
    await file.save('{"replicas": 1}', { resumable: false });
    await watch(new GcsStore(bucket), "app/", 200, [
      () => file.save('{"replicas": 3}', { resumable: false }),
      () => file.delete(),
    ]);
  } finally {
    await server.stop();
  }
}
