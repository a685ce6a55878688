// Notifications as the clouds send them, shortened to what they always hold.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ExternalError } from "@koprs/external";
import { objectKeys } from "@koprs/external/notifications";

const record = (key: string) => ({
  eventVersion: "2.1",
  eventSource: "aws:s3",
  awsRegion: "eu-central-1",
  eventName: "ObjectCreated:Put",
  s3: {
    s3SchemaVersion: "1.0",
    bucket: { name: "data", arn: "arn:aws:s3:::data" },
    object: {
      key,
      size: 3,
      eTag: "900150983cd24fb0d6963f7d28e17f72",
      sequencer: "0055AED6DCD90281E5",
    },
  },
});
const s3 = (...keys: string[]) => ({ Records: keys.map(record) });
const sns = (message: unknown) => ({
  Type: "Notification",
  MessageId: "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
  TopicArn: "arn:aws:sns:eu-central-1:123456789012:data",
  Subject: "Amazon S3 Notification",
  Message: JSON.stringify(message),
  SignatureVersion: "1",
});
const event = (attributes: unknown, data = "") => ({ attributes, data, messageId: "1" });
const gcs = (objectId: string, eventType = "OBJECT_FINALIZE") =>
  event({ bucketId: "data", objectId, eventType, payloadFormat: "NONE" });
const blob = (subject: string, url: string, eventType = "Microsoft.Storage.BlobCreated") => ({
  topic: "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/account",
  subject,
  eventType,
  id: "831e1650-001e-001b-66ab-eeb76e069631",
  data: { api: "PutBlockList", blobType: "BlockBlob", url },
  dataVersion: "",
  eventTime: "2026-06-26T18:41:00.9584103Z",
});

const one = [{ key: "a", bucket: "data" }];

test("S3: events as they are, in SNS, in SQS, of a Lambda function", () => {
  assert.deepEqual(objectKeys(s3("a")), one);
  assert.deepEqual(objectKeys(JSON.stringify(s3("a"))), one);
  assert.deepEqual(objectKeys(new TextEncoder().encode(JSON.stringify(s3("a")))), one);
  assert.deepEqual(objectKeys(new TextEncoder().encode(JSON.stringify(s3("a"))).buffer), one);
  assert.deepEqual(objectKeys(sns(s3("a"))), one);
  assert.deepEqual(objectKeys({ Message: JSON.stringify(s3("a")) }), one);
  assert.deepEqual(
    objectKeys({ MessageId: "1", ReceiptHandle: "r", Body: JSON.stringify(s3("a")) }),
    one,
  );
  const messages = [{ Body: JSON.stringify(s3("a")) }, { Body: JSON.stringify(sns(s3("b"))) }];
  assert.deepEqual(objectKeys({ Messages: messages }).map(({ key }) => key), ["a", "b"]);
  const lambda = { eventSource: "aws:sqs", messageId: "1", body: JSON.stringify(sns(s3("a"))) };
  assert.deepEqual(objectKeys({ Records: [lambda] }), one);
  assert.deepEqual(objectKeys({ Records: [{ EventSource: "aws:sns", Sns: sns(s3("a")) }] }), one);
});

test("MinIO: the same, with fields of its own", () => {
  const payload = { EventName: "s3:ObjectCreated:Put", Key: "data/a", ...s3("a") };
  assert.deepEqual(objectKeys(payload), one);
});

test("EventBridge: keys are not encoded", () => {
  const payload = {
    version: "0",
    "detail-type": "Object Created",
    source: "aws.s3",
    detail: { bucket: { name: "data" }, object: { key: "a+b%20c" }, reason: "PutObject" },
  };
  assert.deepEqual(objectKeys(payload), [{ key: "a+b%20c", bucket: "data" }]);
  assert.deepEqual(objectKeys({ ...payload, "detail-type": "AWS API Call via CloudTrail" }), []);
});

test("S3: keys are decoded as a form is", () => {
  const keys = objectKeys(
    s3("a+b", "a%2Bb", "a%20b", "100%25", "%F0%9F%98%80", "a%2F%2Fb", "..", "%00"),
  )
    .map(({ key }) => key);
  assert.deepEqual(keys, ["a b", "a+b", "100%", "😀", "a//b", "..", "\0"]);
});

test("an object that is named twice comes once, of two buckets twice", () => {
  const other = record("a");
  other.s3.bucket.name = "other";
  assert.deepEqual(objectKeys([s3("a"), s3("a"), other]), [...one, { key: "a", bucket: "other" }]);
});

test("Cloud Storage: Pub/Sub, pushed, pulled, and as a client hands it over", () => {
  assert.deepEqual(objectKeys({ message: gcs("a"), subscription: "s" }), one);
  const received = [{ ackId: "1", message: gcs("a") }, {
    ackId: "2",
    message: gcs("b c%20+", "OBJECT_DELETE"),
  }];
  assert.deepEqual(objectKeys({ receivedMessages: received }).map(({ key }) => key), [
    "a",
    "b c%20+",
  ]);
  assert.deepEqual(objectKeys(gcs("a", "OBJECT_METADATA_UPDATE")), one);
  assert.deepEqual(objectKeys(event({ other: "application" })), []);
});

test("Cloud Storage: CloudEvents of Eventarc", () => {
  const data = { kind: "storage#object", bucket: "data", name: "a" };
  const type = "google.cloud.storage.object.v1.finalized";
  assert.deepEqual(
    objectKeys({ specversion: "1.0", type, source: "//storage", subject: "objects/a", data }),
    one,
  );
  assert.deepEqual(objectKeys(data), one);
  assert.deepEqual(
    objectKeys({ specversion: "1.0", type: "google.cloud.pubsub.topic.v1.messagePublished" }),
    [],
  );
});

test("Azure: Event Grid in its own schema, and CloudEvents", () => {
  const subject = "/blobServices/default/containers/data/blobs/folder/a";
  const url = "https://account.blob.core.windows.net/data/folder/a";
  const found = [{ key: "folder/a", bucket: "data" }];
  assert.deepEqual(objectKeys([blob(subject, url)]), found);
  const { eventType, topic, ...rest } = blob(subject, url);
  assert.deepEqual(
    objectKeys({ ...rest, specversion: "1.0", type: eventType, source: topic }),
    found,
  );
  assert.deepEqual(objectKeys([blob(subject, "no URL", "Microsoft.Storage.BlobDeleted")]), found);
});

test("Azure: where the subject and the URL differ both keys are named", () => {
  const events = [
    blob(
      "/blobServices/default/containers/data/blobs/a b",
      "https://account.blob.core.windows.net/data/a%20b",
    ),
    blob(
      "/blobServices/default/containers/data/blobs/100%25",
      "https://account.blob.core.windows.net/data/100%25",
    ),
  ];
  assert.deepEqual(objectKeys(events).map(({ key }) => key), ["a b", "100%25", "100%"]);
});

test("Azure: a URL that does not name the blob adds nothing", () => {
  const subject = "/blobServices/default/containers/data/blobs/a";
  for (
    const url of [
      "https://account.blob.core.windows.net/other/b",
      "https://account.blob.core.windows.net/data/",
      "https://account.blob.core.windows.net/data/%ZZ",
      7,
    ]
  ) {
    assert.deepEqual(objectKeys([blob(subject, url as string)]), one, String(url));
  }
  const emulator = blob(subject, "http://127.0.0.1:10000/account/data/b");
  assert.deepEqual(objectKeys([emulator]).map(({ key }) => key), ["a", "b"]);
  for (const wrong of [`x${subject}`, subject.slice(0, -1), subject.replace("data", "")]) {
    assert.throws(() => objectKeys([blob(wrong, "")]), /names no blob/);
  }
});

test("Azure: a folder that was renamed is a prefix", () => {
  const subject = "/blobServices/default/containers/data/blobs/new";
  const renamed = {
    ...blob(subject, "", "Microsoft.Storage.DirectoryRenamed"),
    data: {
      sourceUrl: "https://account.dfs.core.windows.net/data/old",
      destinationUrl: "https://account.dfs.core.windows.net/data/new",
    },
  };
  assert.deepEqual(objectKeys([renamed]), [
    { key: "new/", bucket: "data", folder: true },
    { key: "old/", bucket: "data", folder: true },
  ]);
});

test("fields of any type are read or refused", () => {
  const odd = Object.create(null);
  for (
    const payload of [
      { specversion: "1.0", type: odd },
      { source: "aws.s3", "detail-type": odd },
      { attributes: { eventType: odd, objectId: "a" } },
      { eventType: "Microsoft.Storage.BlobCreated", subject: "a", data: odd },
    ]
  ) {
    try {
      assert.deepEqual(objectKeys(payload), []);
    } catch (error) {
      assert.ok(error instanceof ExternalError, String(error));
    }
  }
});

test("what is not about objects gives nothing", () => {
  assert.deepEqual(objectKeys({ Service: "Amazon S3", Event: "s3:TestEvent", Bucket: "data" }), []);
  assert.deepEqual(objectKeys(sns({ Service: "Amazon S3", Event: "s3:TestEvent" })), []);
  assert.deepEqual(
    objectKeys({ Type: "SubscriptionConfirmation", Message: "You have chosen…", Token: "t" }),
    [],
  );
  assert.deepEqual(objectKeys({ Type: "UnsubscribeConfirmation", Message: "You have…" }), []);
  assert.deepEqual(
    objectKeys([blob("", "", "Microsoft.EventGrid.SubscriptionValidationEvent")]),
    [],
  );
  assert.deepEqual(
    objectKeys([blob("", "", "Microsoft.Storage.BlobInventoryPolicyCompleted")]),
    [],
  );
  assert.deepEqual(objectKeys({ Records: [] }), []);
});

test("what is not understood is an error that says so", () => {
  const deep = (depth: number): unknown => depth === 0 ? s3("a") : sns(deep(depth - 1));
  const wrong: [unknown, RegExp][] = [
    [undefined, /it is undefined/],
    [null, /it is null/],
    [7, /it is number/],
    ["", /not JSON/],
    ["<xml/>", /not JSON/],
    [new Uint8Array([0xff]), /not UTF-8/],
    [{}, /its format is not known/],
    [{ hello: "world" }, /its format is not known/],
    [s3("100%"), /broken '%' escape/],
    [{ Records: [{ s3: { bucket: { name: "data" } } }] }, /object's key/],
    [{ message: { data: "", messageId: "1" } }, /its format is not known/],
    [gcs("a", "OBJECT_EXPLODED"), /'OBJECT_EXPLODED' of Cloud Storage is not known/],
    [gcs(""), /'objectId'/],
    [[blob("/blobServices/default/containers/data", "")], /names no blob/],
    [{ specversion: "1.0", type: "com.example.thing" }, /'com.example.thing' are not known/],
    [deep(20), /nested too deeply/],
  ];
  for (const [payload, message] of wrong) {
    assert.throws(() => objectKeys(payload), (error) => {
      assert.ok(error instanceof ExternalError, String(error));
      assert.equal(error.code, "invalid");
      assert.match(error.message, message);
      return true;
    });
  }
});

test("what only looks like a notification is not taken for one", () => {
  const wrong: [unknown, RegExp][] = [
    [{ Records: "a" }, /its format is not known/],
    [{ Message: JSON.stringify(s3("a")), Type: "Other" }, /its format is not known/],
    [{ body: JSON.stringify(s3("a")), eventSource: "other" }, /its format is not known/],
    [{ eventSource: "aws:sqs", body: s3("a") }, /its format is not known/],
    [{ eventType: "Microsoft.Storage.BlobCreated" }, /its format is not known/],
    [{ eventType: 7, subject: "a" }, /its format is not known/],
    [
      { specversion: 1, type: "google.cloud.storage.object.v1.finalized" },
      /its format is not known/,
    ],
    [{ specversion: "1.0" }, /CloudEvents of type '' are not known/],
    [{ attributes: { eventType: "OBJECT_FINALIZE" } }, /'objectId' is missing/],
    [{ attributes: { objectId: "a" } }, /the event '' of Cloud Storage is not known/],
    [{ source: "aws.s3", "detail-type": "Object Created", detail: {} }, /object's key is missing/],
    [{ kind: "storage#object" }, /object's name is missing/],
    [record(""), /object's key is missing/],
    [{ s3: {} }, /object's key is missing/],
  ];
  for (const [payload, message] of wrong) {
    assert.throws(() => objectKeys(payload), { code: "invalid", message });
  }
});

test("a bucket that is not named is left out", () => {
  for (const name of ["", 7, undefined]) {
    const payload = { s3: { bucket: { name }, object: { key: "a" } } };
    assert.deepEqual(objectKeys(payload), [{ key: "a" }]);
  }
  assert.deepEqual(objectKeys({ s3: { object: { key: "a" } } }), [{ key: "a" }]);
  const attributes = { eventType: "OBJECT_ARCHIVE", objectId: "a" };
  assert.deepEqual(objectKeys({ attributes }), [{ key: "a" }]);
});

test("payloads may be nested sixteen deep", () => {
  const within = (depth: number): unknown => depth === 0 ? s3("a") : [within(depth - 1)];
  // The records, and each of them, are two more.
  assert.deepEqual(objectKeys(within(14)), one);
  assert.throws(() => objectKeys(within(15)), /nested too deeply/);
});

test("a message that forges a line of a log does not", () => {
  assert.throws(() => objectKeys(gcs("a", "X\nERROR: forged")), (error) => {
    assert.doesNotMatch((error as Error).message, /\n/);
    return true;
  });
});

test("anything at all is read or refused, and nothing else", () => {
  fc.assert(
    fc.property(fc.anything({ withNullPrototype: true }), (payload) => {
      try {
        for (const { key } of objectKeys(payload)) assert.equal(typeof key, "string");
      } catch (error) {
        assert.ok(error instanceof ExternalError, String(error));
      }
    }),
    { numRuns: 2_000 },
  );
});

test("any key comes back as it was", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: "binary", minLength: 1 }).filter((key) => key.isWellFormed()),
      (key) => {
        assert.deepEqual(objectKeys(s3(encodeURIComponent(key).replaceAll("%20", "+"))), [{
          key,
          bucket: "data",
        }]);
        assert.deepEqual(objectKeys(gcs(key)), [{ key, bucket: "data" }]);
      },
    ),
  );
});
