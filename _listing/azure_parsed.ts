/** A page of blobs as Azure's client itself has parsed it. */
import { textBytes } from "../_bytes/bytes.ts";
import type { ObjectBuilder } from "../_diff/builder.ts";
import type { ObjectMeta } from "../_diff/object_meta.ts";
import type { CloudPage } from "./cloud.ts";

/** What {@linkcode AzureStore} needs of a blob in the client's own listing. */
export interface AzureBlobItem {
  /** The name of the blob. */
  readonly name: string;
  /** Whether it was deleted. */
  readonly deleted?: boolean;
  /** Set for a snapshot. */
  readonly snapshot?: string;
  /** What is known of it. */
  readonly properties: {
    readonly etag?: string;
    readonly contentLength?: number;
    readonly lastModified?: Date;
  };
}

export class ParsedPage implements CloudPage {
  readonly #objects: readonly ObjectMeta[];

  constructor(items: readonly AzureBlobItem[]) {
    this.#objects = items.filter(isBlob).map(({ name, properties }) => {
      const { etag, contentLength, lastModified } = properties;
      if (contentLength === undefined || etag === undefined) {
        throw new Error(`not a whole listing: a blob without an ETag or a length, '${name}'`);
      }
      const time = lastModified?.getTime();
      return {
        key: name,
        size: contentLength,
        etag: inQuotes(etag),
        ...(time !== undefined && { lastModified: time }),
      };
    });
  }

  get count(): number {
    return this.#objects.length;
  }

  lastKey(): Uint8Array | undefined {
    const last = this.#objects.at(-1);
    return last === undefined ? undefined : textBytes(last.key);
  }

  addTo(builder: ObjectBuilder): void {
    for (const object of this.#objects) builder.add(object);
  }

  objects(): ObjectMeta[] {
    return [...this.#objects];
  }
}

function isBlob(item: AzureBlobItem): boolean {
  const { resourceType, ResourceType } = item.properties as Record<string, unknown>;
  return (resourceType ?? ResourceType) !== "directory" && item.deleted !== true && !item.snapshot;
}

/** An ETag as a header has it: Azure's listings have it bare. */
export function inQuotes(etag: string): string {
  return etag.startsWith('"') ? etag : `"${etag}"`;
}
