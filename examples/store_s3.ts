/**
 * Watches an S3 bucket, and reads the objects that changed.
 *
 *     deno run -A examples/store_s3.ts my-bucket [prefix]
 *
 * Credentials, region and endpoint come from where the SDK looks: AWS_ACCESS_KEY_ID, AWS_REGION, AWS_ENDPOINT_URL,
 * profiles. Without arguments it starts a server of its own (MinIO), changes a bucket there, and ends.
 */
import process from "node:process";
import { S3 } from "@aws-sdk/client-s3";
import { ObjectStorePoller, watchExternal } from "@koprs/external";
import { S3Store } from "@koprs/external/stores/s3";
import { missingMinio, startMinio } from "../tests/servers/minio.ts";

async function watch(store: S3Store, prefix: string, interval: number, limit = Infinity) {
  const watch = watchExternal(new ObjectStorePoller(store, { prefix }), {
    interval,
    onError: (error) => console.error(error.message),
  });
  let events = 0;
  for await (const { type, item } of watch) {
    console.log(type.padEnd(8), item.key, item.size, item.etag ?? "");
    if (type !== "removed") {
      // Exactly this version: if the object has changed since, this fails, and the next poll reports the change.
      const content = await store.get(item.key, { ifMatch: item.etag });
      console.log("        ", (await new Response(content).text()).slice(0, 60));
    }
    onEvent?.(++events);
    if (events === limit) break;
  }
}

let onEvent: ((count: number) => unknown) | undefined;
const [bucket, prefix = ""] = process.argv.slice(2);
if (bucket !== undefined) {
  await watch(new S3Store(new S3({}), bucket), prefix, 30_000);
} else {
  await demonstrate();
}

async function demonstrate() {
  const missing = await missingMinio();
  if (missing !== undefined) return console.log(`No demonstration: ${missing}`);
  const server = await startMinio();
  const { endpoint, region, credentials } = server;
  const client = new S3({ endpoint, region, credentials, forcePathStyle: true });
  try {
    await server.createBucket("settings");
    const put = (Key: string, Body: string) => client.putObject({ Bucket: "settings", Key, Body });
    await put("app/limits.json", '{"replicas": 1}');
    const steps = [
      () => put("app/limits.json", '{"replicas": 3}'),
      () => client.deleteObject({ Bucket: "settings", Key: "app/limits.json" }),
    ];
    onEvent = () => steps.shift()?.();
    await watch(new S3Store(client, "settings"), "app/", 200, 3);
  } finally {
    client.destroy();
    await server.kill(); // a graceful shutdown takes seconds
    await server.stop();
  }
}
