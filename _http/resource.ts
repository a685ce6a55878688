/** What a URL answered, as users see it. */

/** What a URL answered. */
export interface HttpResource {
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
  /** The content as UTF-8 text. */
  text(): string;
  /**
   * The content as JSON. An integer beyond 2⁵³ is rounded, as `JSON.parse` does.
   *
   * @throws {SyntaxError} If it is none.
   */
  json(): unknown;
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
export class Resource implements HttpResource {
  readonly url: string;
  readonly status: number;
  readonly body: Uint8Array;
  declare readonly etag?: string;
  declare readonly lastModified?: string;
  declare readonly contentType?: string;

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
}
