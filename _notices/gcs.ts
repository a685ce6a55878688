/** Notifications of Google Cloud Storage. */
import {
  type Fields,
  fieldsOf,
  notice,
  notUnderstood,
  type ObjectNotice,
  orEmpty,
  textOf,
} from "./notice.ts";

const EVENTS = /^OBJECT_(FINALIZE|DELETE|ARCHIVE|METADATA_UPDATE)$/;

/**
 * A message of Pub/Sub, by its attributes: all that is needed is in them, whatever the format of the message's payload.
 */
export function noticesOfPubSub({ eventType, objectId, bucketId }: Fields): ObjectNotice[] {
  if (eventType === undefined && objectId === undefined) return [];
  if (typeof eventType !== "string" || !EVENTS.test(eventType)) {
    throw notUnderstood(`the event '${orEmpty(eventType)}' of Cloud Storage is not known`);
  }
  return [notice(textOf(objectId, "attribute 'objectId'"), bucketId)];
}

/** A CloudEvent of Eventarc. */
export function noticesOfEventarc(event: Fields): ObjectNotice[] {
  if (!orEmpty(event["type"]).startsWith("google.cloud.storage.object.")) return [];
  return [noticeOfResource(fieldsOf(event["data"]))];
}

/** An object resource of Cloud Storage: the data of an event that Eventarc sends in binary mode. */
export function noticeOfResource({ name, bucket }: Fields): ObjectNotice {
  return notice(textOf(name, "object's name"), bucket);
}
