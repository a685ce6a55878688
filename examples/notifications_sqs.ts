/**
 * Watches a bucket whose notifications come through an SQS queue: each names objects that changed, and only those are
 * polled. Everything is listed every hour, which finds changes whose notification was lost.
 *
 *     deno run -A examples/notifications_sqs.ts https://sqs.….amazonaws.com/1234/my-queue my-bucket
 *
 * Without arguments it starts a server of its own (moto), changes a bucket there, and ends.
 */
import process from "node:process";
import { S3 } from "@aws-sdk/client-s3";
import { SQS } from "@aws-sdk/client-sqs";
import {
  type ExternalWatch,
  type ObjectMeta,
  ObjectStorePoller,
  watchExternal,
} from "@koprs/external";
import { objectKeys } from "@koprs/external/notifications";
import { S3Store } from "@koprs/external/stores/s3";
import { missingServer, motoServer, startS3Server } from "../tests/servers/s3_servers.ts";

/** Polls the objects that the messages of a queue name, until the signal aborts. */
async function follow(
  sqs: SQS,
  QueueUrl: string,
  watch: ExternalWatch<ObjectMeta>,
  signal: AbortSignal,
): Promise<void> {
  const options = { abortSignal: signal };
  while (!signal.aborted) {
    try {
      const { Messages = [] } = await sqs.receiveMessage(
        { QueueUrl, MaxNumberOfMessages: 10, WaitTimeSeconds: 20 },
        options,
      );
      for (const { MessageId, Body = "", ReceiptHandle } of Messages) {
        try {
          watch.refresh({ keys: objectKeys(Body).map(({ key }) => key) });
        } catch (error) {
          console.error(`Message ${MessageId} is left out:`, error);
        }
        // Safe before the poll: if the process ends first, the full listing at the next start finds the change.
        await sqs.deleteMessage({ QueueUrl, ReceiptHandle }, options);
      }
    } catch (error) {
      if (signal.aborted) return;
      console.error("The queue cannot be read:", error);
      await new Promise((resolve) => setTimeout(resolve, 5_000));
    }
  }
}

const [queue, bucket] = process.argv.slice(2);
if (queue !== undefined && bucket !== undefined) {
  const watch = watchExternal(new ObjectStorePoller(new S3Store(new S3({}), bucket)), 3_600_000);
  follow(new SQS({}), queue, watch, new AbortController().signal);
  for await (const { type, item } of watch) console.log(type.padEnd(8), item.key, item.size);
} else {
  await demonstrate();
}

async function demonstrate() {
  const missing = await missingServer(motoServer);
  if (missing !== undefined) return console.log(`No demonstration: ${missing}`);
  const server = await startS3Server(motoServer);
  const client = server.connect();
  const sqs = new SQS({
    endpoint: `http://127.0.0.1:${server.port}`,
    region: "us-east-1",
    credentials: { accessKeyId: "key", secretAccessKey: "secret" },
  });
  const stop = new AbortController();
  try {
    const { QueueUrl = "" } = await sqs.createQueue({ QueueName: "changes" });
    await client.createBucket({ Bucket: "incoming" });
    await client.putBucketNotificationConfiguration({
      Bucket: "incoming",
      NotificationConfiguration: {
        QueueConfigurations: [{
          QueueArn: "arn:aws:sqs:us-east-1:123456789012:changes",
          Events: ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"],
        }],
      },
    });
    const watch = watchExternal(
      new ObjectStorePoller(new S3Store(client, "incoming")),
      { interval: 3_600_000 },
    );
    const following = follow(sqs, QueueUrl, watch, stop.signal);
    watch.synced.then(() => client.putObject({ Bucket: "incoming", Key: "a b.csv", Body: "1,2" }));
    for await (const { type, item } of watch) {
      console.log(type.padEnd(8), item.key, item.size);
      if (type === "removed") break;
      await client.deleteObject({ Bucket: "incoming", Key: item.key });
    }
    stop.abort();
    await following;
  } finally {
    client.destroy();
    sqs.destroy();
    await server.kill();
    await server.stop();
  }
}
