/** What is known of the order in which an S3 server lists, and of whether ranges of it pay. */
import type { ExternalError } from "../_errors/external_error.ts";
import type { Logger } from "../_errors/logger.ts";
import { orderFault } from "./order_fault.ts";

/** Directory buckets list in no order: their names end so, and their ARNs begin so. */
const DIRECTORY_BUCKET = /--xa?-s3$|^arn:[^:]*:s3express:/;

/** Servers that are known to list in the byte order of UTF-8, and to find the begin of a range without a walk. */
const RANGED_SERVER = /^(AmazonS3|Ceph Object Gateway|WasabiS3)/;
/** Servers that walk to the end of the bucket for each range. */
const WALKING_SERVER = /^(MinIO|RustFS)/i;
/** The same, by their page tokens, which say how the server remembers the listing. */
const WALKING_TOKEN = /\[(minio|rustfs)_cache:/;

/**
 * Learns from listings. A server is listed in ranges once it is known that this is safe and pays: at Amazon's own
 * endpoints, where its first page says that it is of a kind that is known, or after a listing of several pages that came
 * in order.
 */
export class S3Order {
  readonly #source: string;
  readonly #logger: Logger | undefined;
  /** Whether `ranged` was an option: then only a listing out of order changes it. */
  readonly #chosen: boolean;
  #ranged: boolean | undefined;
  /** Whether a listing came out of order. */
  #disorderly = false;
  /** Whether it is known what becomes of keys out of order where a page ends. */
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

  /** Whether ranges are to be listed at once; undefined as long as the server is not known. */
  get ranged(): boolean | undefined {
    return this.#ranged;
  }

  /**
   * Whether listings without a range are to be looked at. Where ranges are used it is for whoever lists in them, and knows
   * what was listed beside, to see to the whole.
   */
  get watches(): boolean {
    return this.#ranged === undefined || this.#ranged === false && !this.settled;
  }

  /** Takes where requests go: empty for Amazon. */
  located(endpoint: string): void {
    if (!this.#chosen && this.#ranged !== false) this.#ranged = endpoint === "" ? true : undefined;
  }

  /** Throws if no range can be listed. */
  checkRange(): void {
    if (this.#disorderly) throw this.fault();
    if (!this.#chosen || this.#ranged === true) return;
    throw new TypeError(`Cannot list a range of '${this.#source}' as it is not in order`);
  }

  /** Takes what a page tells of its server. */
  learn(server: string | undefined, token: string | undefined): void {
    if (this.#chosen || this.#ranged === false) return;
    if (isWalking(server, token)) {
      this.#ranged = false;
      this.settled = true;
    } else if (server !== undefined && RANGED_SERVER.test(server)) {
      this.#ranged = true;
    }
  }

  /** Takes that a listing of so many pages, without a range, came to its end. */
  whole(pages: number): void {
    if (pages < 2) return;
    this.settled = true;
    if (!this.#disorderly && !this.#chosen) this.#ranged ??= true;
  }

  /** Takes that the server does not know where to begin: for each range, it lists from its first key. */
  startsOver(): void {
    if (!this.#chosen) this.#ranged = false;
  }

  /** The error for a range out of order. Ranges are over from now on. */
  fault(): ExternalError {
    this.#disorderly = true;
    this.#ranged = false;
    return orderFault(
      this.#source,
      "the server does not list in the byte order of UTF-8; the option 'ranged: false' says so at once",
    );
  }

  /** Takes that a listing without a range came out of order, which does no harm to it. Says so once. */
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
