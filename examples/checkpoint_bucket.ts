/**
 * Keeps the state in the bucket that is watched, so that it survives a restart without a disk.
 *
 * deno run -A examples/checkpoint_bucket.ts [BUCKET]
 *
 * With a bucket, credentials and endpoint come from the environment variables of the SDK. Without one, the example
 * starts a MinIO server of its own.
 */
import process from "node:process";
import { S3 } from "@aws-sdk/client-s3";
import { ObjectStorePoller, watchExternal } from "@koprs/external";
import { ObjectCheckpointStore } from "@koprs/external/checkpoints/object";
import { S3Store } from "@koprs/external/stores/s3";
import { missingMinio, startMinio } from "../tests/servers/minio.ts";

const [given] = process.argv.slice(2);
if (given === undefined) await demonstrate();
else await live(new S3(), given, Infinity);

/** One run of an operator: ends when it has seen `events` events. */
async function live(client: S3, bucket: string, events: number): Promise<void> {
  const store = new S3Store(client, bucket);
  const source = new ObjectStorePoller(store, { prefix: "data/" });
  // Not under `data/`, which is watched: there, every save would be a change.
  const checkpoint = new ObjectCheckpointStore(store, { prefix: "state/" });
  const watch = watchExternal(source, { interval: 500, checkpoint });
  let seen = 0;
  for await (const event of watch) {
    console.log(`  ${event.type.padEnd(8)} ${event.item.key}`);
    if (++seen === events) watch.close(); // Ends the loop once the state is saved.
  }
}

async function demonstrate(): Promise<void> {
  const missing = await missingMinio();
  if (missing !== undefined) {
    console.log(`Nothing to watch: name a bucket, or have a MinIO (${missing})`);
    return;
  }
  const server = await startMinio();
  const { endpoint, region, credentials } = server;
  const client = new S3({ endpoint, region, credentials, forcePathStyle: true });
  try {
    const Bucket = "example";
    await server.createBucket(Bucket);
    for (const name of ["a", "b"]) {
      await client.putObject({ Bucket, Key: `data/${name}`, Body: name });
    }
    console.log("The first start finds what is there:");
    await live(client, Bucket, 2);

    await client.deleteObject({ Bucket, Key: "data/a" });
    await client.putObject({ Bucket, Key: "data/b", Body: "changed" });
    console.log("Behind a restart, only what happened meanwhile, the removal included:");
    await live(client, Bucket, 2);

    const { Contents = [] } = await client.listObjectsV2({ Bucket, Prefix: "state/" });
    for (const { Key, Size } of Contents) console.log(`The state is ${Key}, ${Size} bytes`);
  } finally {
    client.destroy();
    await server.stop();
  }
}
