/** Requests of an S3 client, with a timeout, and with errors of this package. */
import { Limits } from "../_bounds/limits.ts";
import { ExternalError } from "../_errors/external_error.ts";
import { isNetworkFailure } from "../_errors/network.ts";
import { statusOf, storeError } from "./store_error.ts";

/** Runs the requests of one bucket. */
export class S3Requests {
  readonly #source: string;
  readonly #timeout: number;

  /**
   * @param source Names the store in errors.
   * @param timeout Milliseconds for one request, the retries of the SDK included.
   */
  constructor(source: string, timeout: number) {
    this.#source = source;
    this.#timeout = timeout;
  }

  /**
   * Makes a request. Rejects with the reason of an abort as it is.
   *
   * @param doing What the request does, such as "list".
   * @param request Begins the request, with a signal that aborts with the caller's and at the timeout.
   */
  async run<R>(
    doing: string,
    signal: AbortSignal | undefined,
    request: (signal: AbortSignal) => Promise<R>,
  ): Promise<R> {
    const limits = this.limit(doing, signal);
    try {
      limits.signal.throwIfAborted();
      return await limits.orAborted(request(limits.signal));
    } catch (thrown) {
      if (limits.signal.aborted) throw limits.signal.reason;
      throw this.error(doing, thrown);
    } finally {
      limits.release();
    }
  }

  /** A signal that aborts with the caller's, or at the timeout. */
  limit(doing: string, outer: AbortSignal | undefined): Limits {
    return new Limits(outer, this.#timeout, () =>
      new ExternalError(
        "timeout",
        `Cannot ${doing} '${this.#source}' as there was no answer within ${this.#timeout} ms; see 'timeout'`,
        { source: this.#source },
      ));
  }

  /** Turns what was thrown into an error of this package, which says what to do about it. */
  error(doing: string, thrown: unknown): ExternalError {
    return storeError(
      `${doing} '${this.#source}'`,
      this.#source,
      thrown,
      hintFor(doing, thrown),
    );
  }
}

const LASTING = "this does not pass by itself";

/** What to do about an error of the service, by its name. */
const HINTS: Readonly<Record<string, string>> = {
  NoSuchBucket: "check the name of the bucket and the endpoint of the client",
  InvalidAccessKeyId: `check the credentials of the client: ${LASTING}`,
  SignatureDoesNotMatch: `check the credentials of the client: ${LASTING}`,
  CredentialsProviderError:
    `give the client 'credentials', or the process AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile or a role: ${LASTING}`,
  ExpiredToken: `renew the credentials of the client: ${LASTING}`,
  PermanentRedirect: `the bucket is in another region than the client: ${LASTING}`,
  AuthorizationHeaderMalformed: `the bucket may be in another region than the client: ${LASTING}`,
  NotImplemented:
    "the server does not know this request: with a client of version 3.729 or later, " +
    "set its 'requestChecksumCalculation' and 'responseChecksumValidation' to 'WHEN_REQUIRED'",
  SlowDown: "the server limits the rate of requests: poll less often",
};

/** What the credentials must allow, for each verb. */
const PERMISSIONS: Readonly<Record<string, string>> = {
  list: "s3:ListBucket",
  get: "s3:GetObject",
  put: "s3:PutObject",
};

function hintFor(doing: string, thrown: unknown): string {
  if (!(thrown instanceof Error)) return "";
  const { name, message } = thrown;
  if (name === "AccessDenied") {
    const [verb = ""] = doing.split(" ");
    return `the credentials of the client need ${PERMISSIONS[verb]} on the bucket: ${LASTING}`;
  }
  if (/^Region is missing/.test(message)) {
    return `give the client a 'region', or the process AWS_REGION: ${LASTING}`;
  }
  if (Object.hasOwn(HINTS, name)) return HINTS[name] ?? "";
  return isNetworkFailure(thrown) && statusOf(thrown) === undefined
    ? "the server cannot be reached, or the connection broke"
    : "";
}
