/** Notifications of Google Cloud Storage. */
import {
  type Fields,
  fieldsOf,
  isFields,
  notice,
  notUnderstood,
  type ObjectNotice,
  orEmpty,
  textOf,
} from "./notice.ts";

const EVENTS = /^OBJECT_(FINALIZE|DELETE|ARCHIVE|METADATA_UPDATE)$/;

/** A message of Pub/Sub. All that is needed is in its attributes, whatever the format of its payload. */
export function noticesOfPubSub(message: Fields): ObjectNotice[] {
  const { attributes } = message;
  if (!isFields(attributes)) {
    throw notUnderstood("a Pub/Sub message without attributes tells nothing");
  }
  const { eventType, objectId, bucketId } = attributes;
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
