/**
 * Watches a bucket of Google Cloud Storage, and reads the objects that changed.
 *
 *     deno run -A examples/store_gcs.ts my-bucket [prefix]
 *
 * Credentials come from where the SDK looks: GOOGLE_APPLICATION_CREDENTIALS, or the machine's own account.
 * Without arguments it starts a server of its own (fake-gcs-server), changes a bucket there, and ends.
 */
import process from "node:process";
import { Storage } from "@google-cloud/storage";
import { GcsStore } from "@koprs/external/stores/gcs";
import { missingFakeGcs, startFakeGcs } from "../tests/servers/gcs.ts";
import { watchStore } from "./_watch_store.ts";

const [bucket, prefix = ""] = process.argv.slice(2);
if (bucket !== undefined) {
  await watchStore(new GcsStore(new Storage().bucket(bucket)), { prefix, interval: 30_000 });
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
    const put = (body: string) => file.save(body, { resumable: false });
    await put('{"replicas": 1}');
    await watchStore(new GcsStore(bucket), {
      prefix: "app/",
      interval: 200,
      steps: [() => put('{"replicas": 3}'), () => file.delete()],
    });
  } finally {
    await server.stop();
  }
}
