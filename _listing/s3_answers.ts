/** Asks for the pages of an S3 listing, without the parser of the SDK if that is possible. */
import type { ObjectMeta } from "../_diff/object_meta.ts";
import { ExternalError } from "../_errors/external_error.ts";
import type { Logger } from "../_errors/logger.ts";
import { ListedPage, pageOfObjects } from "./listed_page.ts";
import type { S3Client, S3ListInput, S3ListOutput } from "./s3_client.ts";
import { isErrorAnswer, readListing } from "./s3_listing.ts";
import type { S3Requests } from "./s3_request.ts";
import { tapClient, type TappedClient } from "./s3_tap.ts";

/** What requests for the pages of one bucket need. */
export interface S3AnswersOptions {
  readonly client: S3Client;
  readonly requests: S3Requests;
  /** Names the store. */
  readonly source: string;
  /** Whether keys are asked for in URL encoding. */
  readonly urlEncoding: boolean;
  readonly logger: Logger | undefined;
}

/** A page that is asked for. */
interface Asked {
  readonly input: S3ListInput;
  /** What all keys of the listing begin with. */
  readonly prefix: string;
  readonly signal: AbortSignal | undefined;
}

/** Asks for pages with one client. */
export class S3Answers {
  readonly #options: S3AnswersOptions;
  /** False once it is known that the client does not give listings as bytes. */
  #tappable = true;

  constructor(options: S3AnswersOptions) {
    this.#options = options;
  }

  /** Begins a listing of the keys that begin with `prefix`. Its pages must be asked for one after the other. */
  begin(prefix: string, signal: AbortSignal | undefined): S3Pages {
    const { client, source } = this.#options;
    const tapped = this.#tappable ? tapClient(client, isErrorAnswer, source) : undefined;
    // Reused for each page: whoever asks for the next page is done with this one.
    const room = new ListedPage(new Uint8Array(), source, prefix);
    return {
      get server() {
        return tapped?.server;
      },
      page: (input) => this.#page({ input, prefix, signal }, tapped, room),
      aside: async (input) => this.#pageOf(await this.#list(client, input, signal), prefix),
    };
  }

  async #page(
    asked: Asked,
    tapped: TappedClient | undefined,
    room: ListedPage,
  ): Promise<ListedPage> {
    const { input, prefix, signal } = asked;
    if (tapped === undefined || !this.#tappable) {
      const output = await this.#list(this.#options.client, input, signal);
      this.#fallBack();
      return this.#pageOf(output, prefix);
    }
    tapped.begin();
    let output: S3ListOutput;
    try {
      output = await this.#list(tapped.client, input, signal);
    } catch (error) {
      // A subclass of the SDK's client that has private fields does not work as a copy: it fails before a request
      // begins. A later failure, such as that of a provider of credentials, would come without a copy as well.
      const uncopied = !tapped.entered && error instanceof ExternalError &&
        (error.cause as Error | undefined)?.name === "TypeError";
      if (!uncopied) throw error;
      return this.#page(asked, undefined, room);
    }
    const { error, answer } = tapped;
    if (error !== undefined) throw error;
    if (answer !== undefined) {
      const { urlEncoding } = this.#options;
      return readListing(answer.bytes, answer.length, room, { encoded: urlEncoding });
    }
    this.#fallBack();
    return this.#pageOf(output, prefix);
  }

  #list(
    client: S3Client,
    input: S3ListInput,
    signal: AbortSignal | undefined,
  ): Promise<S3ListOutput> {
    return this.#options.requests.run(
      "list",
      signal,
      (abortSignal) => client.listObjectsV2(input, { abortSignal }),
    );
  }

  #fallBack(): void {
    if (!this.#tappable) return;
    this.#tappable = false;
    this.#options.logger?.warn(
      `Listings of '${this.#options.source}' go through the parser of the SDK, which is slower: ` +
        "its middleware stack does not hand out the answers",
    );
  }

  /** The page that the SDK parsed from an answer. */
  #pageOf(output: S3ListOutput | undefined, prefix: string): ListedPage {
    const { Contents = [], EncodingType, IsTruncated, NextContinuationToken } = output ?? {};
    const page = pageOfObjects(
      Contents.map(({ Key = "", Size, ETag, LastModified }): ObjectMeta => {
        if (Key === "") throw this.#fault("the listing has an object without a key");
        const lastModified = LastModified?.getTime();
        return {
          key: Key,
          size: this.#sizeOf(Size),
          ...(ETag !== undefined && { etag: ETag }),
          ...(lastModified !== undefined && { lastModified }),
        };
      }),
      this.#options.source,
      prefix,
      EncodingType === "url" && this.#options.urlEncoding,
    );
    page.truncated = IsTruncated;
    page.nextToken = NextContinuationToken || undefined;
    return page;
  }

  /** The size for a page: -1 if the answer has none. */
  #sizeOf(size: number | undefined): number {
    if (size === undefined) return -1;
    if (Number.isSafeInteger(size) && size >= 0) return size;
    throw this.#fault("the listing has a Size that is not a whole number below 2^53");
  }

  #fault(what: string): ExternalError {
    const { source } = this.#options;
    return new ExternalError("protocol", `Cannot list '${source}' as ${what}`, { source });
  }
}

/** The pages of one listing. */
export interface S3Pages {
  /** The header `Server` of the last answer, if that is known. */
  readonly server: string | undefined;
  /** A page, which is valid until the next one is asked for. */
  page(input: S3ListInput): Promise<ListedPage>;
  /** A page that does not overwrite the one before. Slower. */
  aside(input: S3ListInput): Promise<ListedPage>;
}
