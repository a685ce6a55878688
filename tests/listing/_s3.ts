// Listings of S3, written and read.
import assert from "node:assert/strict";
import { ExternalError } from "@koprs/external/error";
import type { ObjectMeta } from "@koprs/external/store";
import { ObjectBuilder } from "../../_diff/builder.ts";
import { objectCodec } from "../../_diff/object_identity.ts";
import { ListedPage } from "../../_listing/listed_page.ts";
import { readListing, type ReadOptions } from "../../_listing/s3_listing.ts";

const encoder = new TextEncoder();

export const SOURCE = "s3://bucket";
export const HEAD =
  '<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">';
export const MD5 = "d41d8cd98f00b204e9800998ecf8427e";

/** A whole listing that says that its keys are URL-encoded. */
export const listing = (inner: string, truncated = false): string =>
  `${HEAD}<IsTruncated>${truncated}</IsTruncated><EncodingType>url</EncodingType>${inner}</ListBucketResult>`;

export const object = (key: string, rest = "<Size>1</Size>"): string =>
  `<Contents><Key>${key}</Key>${rest}</Contents>`;

/** An answer in a buffer that is used again: with `room` bytes of rubbish behind it. */
export function answer(xml: string | Uint8Array, room = 1): [bytes: Uint8Array, length: number] {
  const whole = typeof xml === "string" ? encoder.encode(xml) : xml;
  const bytes = new Uint8Array(whole.length + room).fill("/".charCodeAt(0));
  bytes.set(whole);
  return [bytes, whole.length];
}

export function read(
  xml: string | Uint8Array,
  room = 1,
  page: ListedPage = new ListedPage(new Uint8Array(), SOURCE),
  options?: ReadOptions,
): ListedPage {
  return readListing(...answer(xml, room), page, options);
}

export function keysOf(page: ListedPage): string[] {
  return page.objects().map(({ key }) => key);
}

/** The objects that a poll would keep of a page. */
export function tracked(page: ListedPage): ObjectMeta[] {
  const builder = new ObjectBuilder();
  page.addTo(builder);
  return [...builder.finish().values(objectCodec)];
}

export function isFault(pattern: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof ExternalError, String(error));
    assert.deepEqual([error.code, error.source], ["protocol", SOURCE]);
    assert.match(error.message, pattern);
    assert.match(error.message, /^Cannot list 's3:\/\/bucket' as /);
    return true;
  };
}
