/** A page of blobs that Azure's client has parsed itself. */
import type { ObjectMeta } from "../_diff/object_meta.ts";
import { ExternalError } from "../_errors/external_error.ts";
import { type ListedPage, pageOfObjects } from "./listed_page.ts";

/** What {@linkcode AzureStore} needs of a blob in the client's own listing. */
export interface AzureBlobItem {
  /** The name of the blob. */
  readonly name: string;
  /** Whether it was deleted. */
  readonly deleted?: boolean;
  /** Set for a snapshot. */
  readonly snapshot?: string;
  /** The properties of the blob. */
  readonly properties: {
    readonly etag?: string;
    readonly contentLength?: number;
    readonly lastModified?: Date;
  };
}

/** Makes a page of these blobs. Throws if one has no ETag or no length. */
export function pageOfBlobs(
  items: readonly AzureBlobItem[],
  source: string,
  prefix: string | undefined,
): ListedPage {
  return pageOfObjects(items.filter(isBlob).map((item) => objectOf(item, source)), source, prefix);
}

/** The error for a page that is not a complete listing. */
export function notWhole(source: string, what: string): ExternalError {
  return new ExternalError(
    "protocol",
    `Cannot list '${source}' as it is not a complete listing: ${what}`,
    { source },
  );
}

function isBlob(item: AzureBlobItem): boolean {
  const { resourceType, ResourceType } = item.properties as Record<string, unknown>;
  return (resourceType ?? ResourceType) !== "directory" && item.deleted !== true && !item.snapshot;
}

function objectOf({ name, properties }: AzureBlobItem, source: string): ObjectMeta {
  const { etag, contentLength: size, lastModified } = properties;
  if (size === undefined || etag === undefined) {
    throw notWhole(source, `a blob without an ETag or a length, '${name}'`);
  }
  const time = lastModified?.getTime();
  return {
    key: name,
    size,
    etag: inQuotes(etag),
    ...(time !== undefined && { lastModified: time }),
  };
}

/** An ETag in quotes, as a header has it; Azure's listings have it without. */
export function inQuotes(etag: string): string {
  return etag.startsWith('"') ? etag : `"${etag}"`;
}
