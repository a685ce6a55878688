/** Notifications of Azure Blob Storage, in the schema of Event Grid or as CloudEvents. */
import { type Fields, fieldsOf, notUnderstood, type ObjectNotice, textOf } from "./notice.ts";

const SUBJECT = /^\/blobServices\/[^/]+\/containers\/([^/]+)\/blobs\/(.+)$/s;

/** @param type What happened: `Microsoft.Storage.BlobCreated` and others. */
export function noticesOfAzure(type: string, event: Fields): ObjectNotice[] {
  const kind = /^Microsoft\.Storage\.(Blob|Directory)/.exec(type)?.[1];
  // Such as `BlobInventoryPolicyCompleted`: about the account, not about a blob.
  if (kind === undefined || /^Microsoft\.Storage\.BlobInventory/.test(type)) return [];
  const subject = textOf(event["subject"], "subject");
  const [, bucket = "", key = ""] = SUBJECT.exec(subject) ?? [];
  if (key === "") throw notUnderstood(`the subject '${subject}' names no blob`);
  const { url, sourceUrl, destinationUrl } = fieldsOf(event["data"]);
  // Whether a '%' in a name is an escape cannot be told. Both readings are returned, so that
  // neither is missed.
  const keys = new Set([key]);
  for (const address of [url, sourceUrl, destinationUrl]) {
    const named = keyOf(address, bucket);
    if (named !== undefined) keys.add(named);
  }
  return [...keys].map((key) =>
    kind === "Directory" ? { key: key.replace(/\/*$/, "/"), bucket, folder: true } : { key, bucket }
  );
}

/** The key in the URL of a blob, decoded. */
function keyOf(url: unknown, bucket: string): string | undefined {
  if (typeof url !== "string" || !URL.canParse(url)) return undefined;
  const { pathname } = new URL(url);
  const at = pathname.indexOf(`/${bucket}/`);
  if (at < 0) return undefined;
  try {
    return decodeURIComponent(pathname.slice(at + bucket.length + 2)) || undefined;
  } catch {
    return undefined; // The subject has the key already.
  }
}
