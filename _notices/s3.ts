/** Notifications of S3 and of servers that speak its protocol. */
import {
  type Fields,
  fieldsOf,
  notice,
  notUnderstood,
  type ObjectNotice,
  orEmpty,
  textOf,
} from "./notice.ts";

/** A record as S3 and MinIO send it. Its key is encoded as in a form: a space is `+`. */
export function noticeOfRecord(record: Fields): ObjectNotice {
  const { bucket, object } = fieldsOf(record["s3"]);
  const key = textOf(fieldsOf(object)["key"], "object's key");
  return notice(decodeForm(key), fieldsOf(bucket)["name"]);
}

/** An event of EventBridge. Its key is not encoded. */
export function noticeOfEventBridge(event: Fields): ObjectNotice[] {
  const { bucket, object } = fieldsOf(event["detail"]);
  if (!orEmpty(event["detail-type"]).startsWith("Object ")) return [];
  return [notice(textOf(fieldsOf(object)["key"], "object's key"), fieldsOf(bucket)["name"])];
}

function decodeForm(key: string): string {
  try {
    return decodeURIComponent(key.replaceAll("+", " "));
  } catch {
    throw notUnderstood(`the key '${key}' has a broken '%' escape`);
  }
}
