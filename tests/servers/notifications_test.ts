// Notifications of real servers, and what they lead to: MinIO calls a webhook, and moto fills a queue of SQS.
import { S3 } from "@aws-sdk/client-s3";
import { SQS } from "@aws-sdk/client-sqs";
import { type ExternalEvent, type ExternalPart, watchExternal } from "@koprs/external";
import { objectKeys } from "@koprs/external/notifications";
import { type ObjectMeta, ObjectStorePoller } from "@koprs/external/store";
import { S3Store } from "@koprs/external/stores/s3";
import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";
import { missingMinio, startMinio } from "./minio.ts";
import { missingServer, motoServer, startS3Server } from "./s3_servers.ts";

const timeout = 120_000;
const missing = { minio: await missingMinio(), moto: await missingServer(motoServer) };

/** Keys that each service encodes in its own way. */
const KEYS = ["a.csv", "a b.csv", "a+b.csv", "ü/%41.csv", "inbox/1", "inbox/2", "=&?#.csv", "😀"];

/** A consumer that knows nothing but the events. */
class Consumer {
  readonly known: Map<string, string> = new Map();
  #changed: (() => void) | undefined;

  async read(watch: AsyncIterable<ExternalEvent<ObjectMeta>>): Promise<void> {
    for await (const { type, item } of watch) {
      if (type === "removed") this.known.delete(item.key);
      else this.known.set(item.key, item.etag ?? "");
      this.#changed?.();
    }
  }

  /** Resolves once it knows what is expected. */
  async knows(expected: () => boolean): Promise<void> {
    while (!expected()) await new Promise<void>((resolve) => this.#changed = resolve);
  }
}

/** A server that hands over the body of every request. */
async function webhook(t: TestContext, take: (body: string) => void): Promise<string> {
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    take(body);
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

test("MinIO calls a webhook, and each change is one request", {
  timeout,
  skip: missing.minio ?? false,
}, async (t) => {
  let onNotice: (part: ExternalPart) => void = () => {};
  const url = await webhook(t, (body) => {
    for (const { key } of objectKeys(body)) onNotice({ keys: [key] });
  });
  const server = await startMinio({ webhook: url });
  t.after(async () => {
    await server.kill();
    await server.stop();
  });
  const { endpoint, region, credentials } = server;
  const client = new S3({ endpoint, region, credentials, forcePathStyle: true });
  t.after(() => client.destroy());
  await server.createBucket("data");
  await server.putMany(
    "data",
    Array.from({ length: 3_000 }, (_, i) => ({ key: `old/${i}`, body: "x" })),
  );
  await server.notify("data");

  const polls: number[] = [];
  const sweeps: number[] = [];
  const consumer = new Consumer();
  const watch = watchExternal(new ObjectStorePoller(new S3Store(client, "data")), {
    interval: 3_600_000,
    onPoll: ({ part, requests }) => void (part === undefined ? sweeps : polls).push(requests),
  });
  const reading = consumer.read(watch);
  await watch.synced;
  assert.equal(consumer.known.size, 3_000);

  onNotice = (part) => watch.refresh(part);
  for (const Key of KEYS) {
    const { ETag } = await client.putObject({ Bucket: "data", Key, Body: Key });
    await consumer.knows(() => consumer.known.get(Key) === ETag);
  }
  await client.deleteObject({ Bucket: "data", Key: "a b.csv" });
  await consumer.knows(() => !consumer.known.has("a b.csv"));
  const [first = 0, ...more] = sweeps;
  assert.deepEqual(more, [], "nothing but the keys was listed");
  assert.ok(first >= 3 && first <= 8);
  assert.ok(polls.every((requests) => requests === 1), "each is one request");
  assert.ok(
    polls.length >= KEYS.length && polls.length <= KEYS.length + 2,
    `${polls.length} polls`,
  );

  // Notifications that are lost, false and doubled: the next sweep finds what they missed, and nothing else is touched.
  onNotice = () => {};
  const { ETag } = await client.putObject({ Bucket: "data", Key: "lost", Body: "x" });
  await client.deleteObject({ Bucket: "data", Key: "old/7" });
  watch.refresh({ keys: ["never", "old/8", "old/8"] });
  watch.refresh({ prefix: "inbox/" });
  watch.refresh({ prefix: "old/9" });
  await client.putObject({ Bucket: "data", Key: "old/9new", Body: "x" });
  watch.refresh({ prefix: "old/9" });
  await consumer.knows(() => consumer.known.has("old/9new"));
  assert.ok(!consumer.known.has("lost") && consumer.known.has("old/7"));
  watch.refresh();
  await consumer.knows(() => consumer.known.get("lost") === ETag && !consumer.known.has("old/7"));
  assert.equal(consumer.known.size, 3_000 - 1 + KEYS.length - 1 + 2);
  watch.close();
  await reading;
});

test("a queue of SQS names what changed", { timeout, skip: missing.moto ?? false }, async (t) => {
  const server = await startS3Server(motoServer);
  t.after(async () => {
    await server.kill();
    await server.stop();
  });
  const client = server.connect();
  const sqs = new SQS({
    endpoint: `http://127.0.0.1:${server.port}`,
    region: "us-east-1",
    credentials: { accessKeyId: "key", secretAccessKey: "secret" },
  });
  t.after(() => {
    client.destroy();
    sqs.destroy();
  });
  const { QueueUrl = "" } = await sqs.createQueue({ QueueName: "changes" });
  await client.createBucket({ Bucket: "data" });
  const QueueArn = "arn:aws:sqs:us-east-1:123456789012:changes";
  const Events = ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"] as const;
  const NotificationConfiguration = { QueueConfigurations: [{ QueueArn, Events: [...Events] }] };
  await client.putBucketNotificationConfiguration({ Bucket: "data", NotificationConfiguration });

  const consumer = new Consumer();
  const requests: number[] = [];
  const watch = watchExternal(new ObjectStorePoller(new S3Store(client, "data")), {
    interval: 3_600_000,
    onPoll: (poll) => void requests.push(poll.requests),
  });
  const reading = consumer.read(watch);
  await watch.synced;
  // The first message is a greeting, which names no key.
  let told = 0;
  const takeUpTo = async (count: number) => {
    while (told < count) {
      const { Messages = [] } = await sqs.receiveMessage({ QueueUrl, MaxNumberOfMessages: 10 });
      for (const { Body = "", ReceiptHandle } of Messages) {
        const keys = objectKeys(Body).map(({ key }) => key);
        told += keys.length;
        watch.refresh({ keys });
        await sqs.deleteMessage({ QueueUrl, ReceiptHandle });
      }
    }
  };
  for (const Key of KEYS) await client.putObject({ Bucket: "data", Key, Body: Key });
  await takeUpTo(KEYS.length);
  await consumer.knows(() => consumer.known.size === KEYS.length);
  assert.deepEqual([...consumer.known.keys()].sort(), [...KEYS].sort());
  await client.deleteObject({ Bucket: "data", Key: "a b.csv" });
  await takeUpTo(KEYS.length + 1);
  await consumer.knows(() => !consumer.known.has("a b.csv"));
  assert.ok(requests.every((count) => count === 1), `each poll is one request: ${requests}`);
  watch.close();
  await reading;
});
