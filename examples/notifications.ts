/**
 * Watches a bucket with very few requests: a webhook tells which objects changed, and each takes one request to look
 * up. Everything is listed every hour, which finds changes whose notification was lost.
 *
 *     deno run -A examples/notifications.ts
 *
 * Starts a server of its own (MinIO), which calls the webhook, changes a bucket there, and ends.
 */
import { text } from "node:stream/consumers";
import { S3 } from "@aws-sdk/client-s3";
import { ObjectStorePoller, watchExternal } from "@koprs/external";
import { objectKeys } from "@koprs/external/notifications";
import { S3Store } from "@koprs/external/stores/s3";
import { missingMinio, startMinio } from "../tests/servers/minio.ts";
import { serve } from "./_server.ts";

const BUCKET = "incoming";

const missing = await missingMinio();
if (missing === undefined) await demonstrate();
else console.log(`No demonstration: ${missing}`);

async function demonstrate() {
  // In production, check that a request really comes from the store, such as by a token in a header.
  const hooks = await serve(async (request, response) => {
    for (const { key, folder, bucket } of objectKeys(await text(request))) {
      if (bucket === BUCKET) watch.refresh(folder ? { prefix: key } : { keys: [key] });
    }
    response.end();
  });
  const server = await startMinio({ webhook: hooks.url });
  const { endpoint, region, credentials } = server;
  const client = new S3({ endpoint, region, credentials, forcePathStyle: true });
  await server.createBucket(BUCKET);
  await server.notify(BUCKET);

  const watch = watchExternal(new ObjectStorePoller(new S3Store(client, BUCKET)), {
    interval: 3_600_000,
    onPoll: ({ part, requests }) => console.log("polled  ", part?.keys ?? "all", requests),
  });
  const put = (Key: string, Body: string) => client.putObject({ Bucket: BUCKET, Key, Body });
  watch.synced.then(() => put("a+b c.csv", "1,2"));
  const steps = [
    () => put("a+b c.csv", "1,2,3"),
    () => client.deleteObject({ Bucket: BUCKET, Key: "a+b c.csv" }),
  ];
  for await (const { type, item } of watch) {
    console.log(type.padEnd(8), item.key, item.size);
    if (type === "removed") break;
    await steps.shift()?.();
  }
  console.log(`${watch.status.requests} requests`);

  client.destroy();
  await server.kill(); // a graceful shutdown takes seconds
  await server.stop();
  await hooks.close();
}
