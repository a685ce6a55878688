/** Reads notifications, and unwraps the messages that carry them. */
import { noticesOfAzure } from "./azure.ts";
import { noticeOfResource, noticesOfEventarc, noticesOfPubSub } from "./gcs.ts";
import { type Fields, isFields, notUnderstood, type ObjectNotice, orEmpty } from "./notice.ts";
import { noticeOfEventBridge, noticeOfRecord } from "./s3.ts";

/** The deepest nesting that is read: S3 in SNS in SQS in a Lambda function's records takes eleven steps. */
const DEEPEST = 16;

/** All objects that a payload is about, each once. */
export function readNotices(payload: unknown): ObjectNotice[] {
  const notices = new Map<string, ObjectNotice>();
  for (const notice of read(payload, 0)) {
    notices.set(JSON.stringify([notice.bucket, notice.key, notice.folder]), notice);
  }
  return [...notices.values()];
}

function read(payload: unknown, depth: number): ObjectNotice[] {
  if (depth > DEEPEST) throw notUnderstood("it is nested too deeply");
  const inner = (value: unknown) => read(value, depth + 1);
  if (typeof payload === "string") return inner(parse(payload));
  if (payload instanceof Uint8Array) return inner(decode(payload));
  if (payload instanceof ArrayBuffer) return inner(new Uint8Array(payload));
  if (Array.isArray(payload)) return payload.flatMap(inner);
  if (!isFields(payload)) {
    throw notUnderstood(`it is ${payload === null ? "null" : typeof payload}`);
  }

  const unwrapped = unwrap(payload);
  if (unwrapped !== undefined) return inner(unwrapped);
  if (isFields(payload["s3"])) return [noticeOfRecord(payload)];
  if (payload["source"] === "aws.s3") return noticeOfEventBridge(payload);
  if (payload["kind"] === "storage#object") return [noticeOfResource(payload)];
  if (isFields(payload["attributes"])) return noticesOfPubSub(payload["attributes"]);
  if (typeof payload["specversion"] === "string") return noticesOfCloudEvent(payload);
  if (typeof payload["eventType"] === "string" && typeof payload["subject"] === "string") {
    return noticesOfAzure(payload["eventType"], payload);
  }
  if (isGreeting(payload)) return [];
  throw notUnderstood("its format is not known");
}

/** The content of a wrapper, or undefined if the payload is not a wrapper. */
function unwrap(payload: Fields): unknown {
  const { Records, Messages, receivedMessages, message, Sns, Type, Message, body, Body } = payload;
  if (Array.isArray(Records)) return Records; // S3 and MinIO; a Lambda function's SQS and SNS
  if (Array.isArray(Messages)) return Messages; // SQS, ReceiveMessage
  if (Array.isArray(receivedMessages)) return receivedMessages; // Pub/Sub, pull
  if (isFields(message)) return message; // Pub/Sub, push and pull
  if (isFields(Sns)) return Sns;
  if (typeof Message === "string" && (Type === undefined || Type === "Notification")) {
    return Message; // SNS
  }
  if (typeof Body === "string") return Body; // a message of SQS
  if (typeof body === "string" && payload["eventSource"] === "aws:sqs") return body;
  return undefined;
}

function noticesOfCloudEvent(event: Fields): ObjectNotice[] {
  const type = orEmpty(event["type"]);
  if (type.startsWith("google.cloud.")) return noticesOfEventarc(event);
  if (type.startsWith("Microsoft.")) return noticesOfAzure(type, event);
  throw notUnderstood(`CloudEvents of type '${type}' are not known`);
}

/** Whether a service sent it to test an address, or to have a subscription confirmed. */
function isGreeting(payload: Fields): boolean {
  return payload["Event"] === "s3:TestEvent" ||
    payload["Type"] === "SubscriptionConfirmation" || payload["Type"] === "UnsubscribeConfirmation";
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw notUnderstood("it is not JSON");
  }
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw notUnderstood("it is not UTF-8");
  }
}
