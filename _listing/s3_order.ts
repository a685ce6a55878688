/** What is known about the order in which an S3 server lists, and whether listing it in ranges pays. */
import type { ExternalError } from "../_errors/external_error.ts";
import type { Logger } from "../_errors/logger.ts";
import { orderFault } from "./order_fault.ts";

/** Directory buckets, which list in no order: the end of their names, and the beginning of their ARNs. */
const DIRECTORY_BUCKET = /--xa?-s3$|^arn:[^:]*:s3express:/;

/** Servers that are known to list in the byte order of UTF-8, and to find the beginning of a range without a walk. */
const RANGED_SERVER = /^(AmazonS3|Ceph Object Gateway|WasabiS3)/;
/** Servers that walk to the end of the bucket for each range. */
const WALKING_SERVER = /^(MinIO|RustFS)/i;
/** The same, by their page tokens, which say how the server remembers the listing. */
const WALKING_TOKEN = /\[(minio|rustfs)_cache:/;

/**
 * Learns from listings. A server is listed in ranges once this is known to be safe and to pay: if it is an endpoint
 * of Amazon, if its first page names a server of a known kind, or after a listing of several pages that came in
 * order.
 */
export class S3Order {
  readonly #source: string;
  readonly #logger: Logger | undefined;
  /** Whether the option or the kind of bucket decides `ranged`: then only a listing out of order changes it. */
  readonly #chosen: boolean;
  #ranged: boolean | undefined;
  /** Whether a listing came out of order. */
  #disorderly = false;
  /** Whether it is known what happens to keys out of order at the end of a page. */
  settled: boolean;

  /**
   * @param ranged The option.
   * @param ofAmazon Whether requests seem to go to Amazon.
   */
  constructor(
    source: string,
    bucket: string,
    { ranged, ofAmazon, logger }: {
      ranged: boolean | undefined;
      ofAmazon: boolean;
      logger: Logger | undefined;
    },
  ) {
    this.#source = source;
    this.#logger = logger;
    this.settled = ranged === undefined && DIRECTORY_BUCKET.test(bucket);
    this.#chosen = ranged !== undefined || this.settled;
    this.#ranged = ranged ?? (this.settled ? false : ofAmazon ? true : undefined);
  }

  /** Whether ranges may be listed at once; undefined until the server is known. */
  get ranged(): boolean | undefined {
    return this.#ranged;
  }

  /**
   * Whether the order of listings without a range is to be checked. If ranges are used, their caller checks the
   * order, as only the caller knows all ranges.
   */
  get watches(): boolean {
    return this.#ranged === undefined || this.#ranged === false && !this.settled;
  }

  /** Learns where requests go: `endpoint` is empty for Amazon. */
  located(endpoint: string): void {
    if (!this.#chosen && this.#ranged !== false) this.#ranged = endpoint === "" ? true : undefined;
  }

  /** Throws if no range can be listed. */
  checkRange(): void {
    if (this.#disorderly) throw this.fault();
    if (!this.#chosen || this.#ranged === true) return;
    throw new TypeError(`Cannot list a range of '${this.#source}' as it is not in order`);
  }

  /** Learns from what a page tells about its server. */
  learn(server: string | undefined, token: string | undefined): void {
    if (this.#chosen || this.#ranged === false) return;
    if (isWalking(server, token)) {
      this.#ranged = false;
      this.settled = true;
    } else if (server !== undefined && RANGED_SERVER.test(server)) {
      this.#ranged = true;
    }
  }

  /** Learns that a listing of so many pages, without a range, came to its end. */
  whole(pages: number): void {
    if (pages < 2) return;
    this.settled = true;
    if (!this.#disorderly && !this.#chosen) this.#ranged ??= true;
  }

  /** Learns that the server ignores where a range begins: it lists each one from its first key. */
  startsOver(): void {
    if (!this.#chosen) this.#ranged = false;
  }

  /** The error for a range out of order. From now on no ranges are listed. */
  fault(): ExternalError {
    this.#disorderly = true;
    this.#ranged = false;
    return orderFault(
      this.#source,
      "the server does not list in the byte order of UTF-8; the option 'ranged: false' says so at once",
    );
  }

  /** Learns that a listing without a range came out of order, which does it no harm. Warns once. */
  disorder(): void {
    if (this.#ranged === undefined) {
      (this.#logger ?? console).warn(
        `'${this.#source}' is listed page by page, and not in ranges, as the server does not list in the byte order ` +
          "of UTF-8: pass the option 'ranged: false' to say so",
      );
    }
    this.#disorderly = true;
    this.#ranged = false;
  }
}

function isWalking(server: string | undefined, token: string | undefined): boolean {
  if (server !== undefined && WALKING_SERVER.test(server)) return true;
  if (token === undefined) return false;
  try {
    return WALKING_TOKEN.test(token) || WALKING_TOKEN.test(atob(token));
  } catch {
    return false; // It is not base64.
  }
}
