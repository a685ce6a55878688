/** What a URL answered, as users see it. */
import { toBase64 } from "../_bytes/base64.ts";

/** The bytes of a body that `toJSON` shows. */
const SHOWN_BYTES = 65_536;

/** What a URL answered. `T` is what `schema` or `parse` makes of it. */
export interface HttpResource<T = unknown> {
  /** The URL that answered, after redirects; without user info. */
  readonly url: string;
  /** 200, 203 or 204; of a `removed` 404 or 410. */
  readonly status: number;
  /** The content; of a `removed` it is empty. */
  readonly body: Uint8Array;
  /** The `ETag`, as received; of a `removed` the last one known. */
  readonly etag?: string;
  /** The `Last-Modified`, as received; of a `removed` the last one known. */
  readonly lastModified?: string;
  /** The `Content-Type`, as received. */
  readonly contentType?: string;
  /**
   * What `schema` or `parse` made of the content; undefined without either. Of a `removed`: the last one known, or
   * undefined where a restart came between and the body is not remembered.
   */
  readonly value: T;
  /** The content as UTF-8 text. */
  text(): string;
  /**
   * The content as JSON. An integer beyond 2⁵³ is rounded, as `JSON.parse` does.
   *
   * @throws {SyntaxError} If it is none.
   */
  json(): unknown;
  /**
   * What `JSON.stringify` makes of it: the URL, the status, the headers that are there, and the `value`. Where there is
   * none, the body as `text` or, where that is not UTF-8, as `base64`; of a body of more than 64 KiB the beginning, and
   * `bytes`, its length.
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

/** An answer, or what is left of a resource that is gone. Empty headers are left out. */
export class Resource<T = unknown> implements HttpResource<T> {
  readonly url: string;
  readonly status: number;
  readonly body: Uint8Array;
  declare readonly etag?: string;
  declare readonly lastModified?: string;
  declare readonly contentType?: string;
  /** Set before anyone sees it. */
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
