/** The answer of a URL, as users see it. */
import { toBase64 } from "../_bytes/base64.ts";

/** How many bytes of a body `toJSON` shows. */
const SHOWN_BYTES = 65_536;

/** The answer of a URL. `T` is what `schema` or `parse` makes of it. */
export interface HttpResource<T = unknown> {
  /** The URL that answered, after redirects; without user info. */
  readonly url: string;
  /** 200, 203 or 204; in a `removed` 404 or 410. */
  readonly status: number;
  /** The content; empty in a `removed`. */
  readonly body: Uint8Array;
  /** The `ETag`, as received; in a `removed` the last one known. */
  readonly etag?: string;
  /** The `Last-Modified`, as received; in a `removed` the last one known. */
  readonly lastModified?: string;
  /** The `Content-Type`, as received. */
  readonly contentType?: string;
  /**
   * What `schema` or `parse` made of the content; undefined without either. In a `removed` the last one known, or
   * undefined after a restart if the body is not remembered.
   */
  readonly value: T;
  /** The content as UTF-8 text. */
  text(): string;
  /**
   * The content as JSON. An integer beyond 2⁵³ is rounded, as `JSON.parse` does.
   *
   * @throws {SyntaxError} If the content is not JSON.
   */
  json(): unknown;
  /**
   * What `JSON.stringify` gives for it: the URL, the status, the headers that are there, and the `value`. Without a
   * value: the body as `text` or, if it is not UTF-8, as `base64`. Of a body of more than 64 KiB: its beginning,
   * and its length as `bytes`.
   */
  toJSON(): Record<string, unknown>;
}

/** What a resource is made of. */
export interface ResourceParts {
  readonly url: string;
  readonly status: number;
  readonly body: Uint8Array;
  readonly etag?: string | null | undefined;
  readonly lastModified?: string | null | undefined;
  readonly contentType?: string | null | undefined;
}

/** An answer, or the last known state of a resource that is gone. Empty headers are left out. */
export class Resource<T = unknown> implements HttpResource<T> {
  readonly url: string;
  readonly status: number;
  readonly body: Uint8Array;
  declare readonly etag?: string;
  declare readonly lastModified?: string;
  declare readonly contentType?: string;
  /** Set before users see the resource. */
  declare value: T;

  constructor({ url, status, body, etag, lastModified, contentType }: ResourceParts) {
    this.url = url;
    this.status = status;
    this.body = body;
    if (etag) this.etag = etag;
    if (lastModified) this.lastModified = lastModified;
    if (contentType) this.contentType = contentType;
  }

  text(): string {
    return new TextDecoder().decode(this.body);
  }

  json(): unknown {
    return JSON.parse(this.text());
  }

  toJSON(): Record<string, unknown> {
    const { body, ...shown } = this as HttpResource;
    return shown.value === undefined ? { ...shown, ...shownBody(body) } : shown;
  }
}

function shownBody(body: Uint8Array): Record<string, unknown> {
  const shown = body.subarray(0, SHOWN_BYTES);
  const cut = shown.length < body.length;
  const bytes = cut && { bytes: body.length };
  try {
    // A character that is cut in two is left out.
    return {
      text: new TextDecoder("utf-8", { fatal: true }).decode(shown, { stream: cut }),
      ...bytes,
    };
  } catch {
    return { base64: toBase64(shown), ...bytes };
  }
}
