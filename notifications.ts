/**
 * Reads the notifications that object stores send, so that changed objects are polled at once, and only those.
 *
 * A notification only says where to look: its key is used, and the state of the object is read from the store. A
 * notification that is lost, late or sent twice does no harm, as the full listing at the watch's interval finds what
 * was missed. Check in your web framework that a notification really comes from the store: signatures, tokens and
 * client certificates differ between services.
 *
 * @example A webhook
 * ```ts
 * import { objectKeys } from "@koprs/external/notifications";
 *
 * async function handle(request: Request): Promise<Response> {
 *   for (const { key } of objectKeys(await request.text())) console.log("look at", key);
 *   return new Response();
 * }
 *
 * const record = { s3: { bucket: { name: "data" }, object: { key: "a+b%2Bc.csv" } } };
 * await handle(new Request("http://localhost/", { method: "POST", body: JSON.stringify({ Records: [record] }) }));
 * // look at a b+c.csv
 * ```
 *
 * @module
 */
import type { ObjectNotice } from "./_notices/notice.ts";
import { readNotices } from "./_notices/read.ts";

export type { ObjectNotice } from "./_notices/notice.ts";

/**
 * The objects that a notification is about, each once. Keys are decoded the way each service encodes them.
 *
 * | service              | what is read                                                                       |
 * | -------------------- | ---------------------------------------------------------------------------------- |
 * | S3, MinIO, Ceph      | bare events, or in SNS, SQS (also SNS in SQS), EventBridge, the input of a Lambda function |
 * | Google Cloud Storage | Pub/Sub messages, pushed or pulled; CloudEvents from Eventarc                      |
 * | Azure Blob Storage   | Event Grid events, in its own schema or as CloudEvents                             |
 *
 * A message that is not about objects, such as a test event or a request to confirm a subscription, gives an empty
 * array. For Azure, a key may be there twice, as sent and with its escapes decoded: the events do not say which one
 * is meant.
 *
 * @example
 * ```ts
 * import { objectKeys } from "@koprs/external/notifications";
 *
 * const message = { attributes: { eventType: "OBJECT_FINALIZE", bucketId: "data", objectId: "a b.csv" } };
 * const [notice] = objectKeys({ message, subscription: "projects/p/subscriptions/s" });
 * console.assert(notice?.key === "a b.csv" && notice.bucket === "data");
 * ```
 *
 * @param payload The body of the request or of the message: text, bytes, or the parsed JSON.
 * @returns The objects and folders, in the order of the notification.
 * @throws {ExternalError} With code `invalid` if the payload is no notification of these services.
 */
export function objectKeys(payload: unknown): ObjectNotice[] {
  return readNotices(payload);
}
