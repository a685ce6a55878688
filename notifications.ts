/**
 * Reads the notifications that object stores send, so that what changed is polled at once and alone.
 *
 * A notification is a hint: nothing of it is used but the key, and what it says is looked up in the store. One that is
 * lost, late or doubled does no harm, as the whole listing at the watch's interval finds what it missed. Whether it
 * really comes from the store is for your web framework to check: signatures, tokens and client certificates differ from
 * service to service.
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
 * The objects that a notification is about, each once, with the keys decoded as each service encodes them.
 *
 * | service              | what is read                                                                       |
 * | -------------------- | ---------------------------------------------------------------------------------- |
 * | S3, MinIO, Ceph      | events as they are, in SNS, in SQS (also SNS in SQS), of a Lambda function, of EventBridge |
 * | Google Cloud Storage | messages of Pub/Sub, pushed or pulled; CloudEvents of Eventarc                     |
 * | Azure Blob Storage   | events of Event Grid, in its own schema or as CloudEvents                          |
 *
 * What is not about objects, such as a test event or a request to confirm a subscription, gives nothing. For Azure, a key
 * may come twice, as it stands and with its escapes decoded: the events do not say which one is meant.
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
 * @param payload The body of the request or of the message: text, bytes, or what its JSON is.
 * @returns The objects and folders, in the order of the notification.
 * @throws {ExternalError} With code `invalid` for anything that is not understood.
 */
export function objectKeys(payload: unknown): ObjectNotice[] {
  return readNotices(payload);
}
