/** Lists a bucket of S3 page by page, to its end or to an error. */
import { textBytes } from "../_bytes/exact_text.ts";
import { PageGuard } from "../_bounds/page_guard.ts";
import { ExternalError } from "../_errors/external_error.ts";
import type { ListOptions } from "./object_store.ts";
import type { S3Answers, S3Pages } from "./s3_answers.ts";
import type { S3ListInput } from "./s3_client.ts";
import type { ListedPage } from "./listed_page.ts";
import type { S3Order } from "./s3_order.ts";
import { askableKey, compare, isSame, type Place, placeBehind } from "./s3_place.ts";
import { TreeCheck } from "./s3_tree.ts";

/** What a bucket is listed with. */
export interface S3ListerOptions {
  readonly answers: S3Answers;
  readonly order: S3Order;
  /** The fields that every request has. */
  readonly input: S3ListInput;
  /** Names the store. */
  readonly source: string;
}

/** Lists one bucket. */
export class S3Lister {
  readonly #options: S3ListerOptions;

  constructor(options: S3ListerOptions) {
    this.#options = options;
  }

  /**
   * The pages of a bucket, or of a part of it. Each is valid until the next one is asked for.
   *
   * @throws {ExternalError} With code `protocol` if they are not a whole listing, and what the requests reject
   * with.
   */
  async *list(
    { prefix = "", after, until, pageSize, signal }: ListOptions,
  ): AsyncGenerator<ListedPage, void> {
    const { answers, order } = this.#options;
    const range = after !== undefined || until !== undefined;
    if (range) order.checkRange();
    if (!prefix.isWellFormed()) {
      throw new TypeError("Cannot list by 'prefix' as it has half of a surrogate pair");
    }
    const input = {
      ...this.#options.input,
      ...(prefix !== "" && { Prefix: prefix }),
      ...(pageSize !== undefined && { MaxKeys: pageSize }),
    };
    const pages = answers.begin(prefix, signal);
    const tree = new TreeCheck({ pages, input, order, fault: (what) => this.#fault(what) });
    const guard = new PageGuard((what) => this.#fault(what));
    const start = after === undefined ? "" : askableKey(after);
    // An empty key means no start; some servers refuse it.
    let place: Place = start === "" ? {} : { StartAfter: start };
    let begin: Uint8Array | undefined;
    let last: Uint8Array | undefined;
    for (let count = 1;; count++) {
      const page = await pages.page({ ...input, ...place });
      const { truncated, nextToken } = page;
      if (truncated === undefined) {
        throw this.#fault("the server does not say whether the listing is whole ('IsTruncated')");
      }
      order.learn(pages.server, nextToken);
      tree.see(page);
      if (range || order.watches) {
        await this.#look(page, place, last, range, tree);
        if (count === 1 && start !== "") await this.#checkStart(page, pages, input, start);
        if (truncated && !range) await tree.atEnd(page);
      }
      const firstOfPage = page.key(0);
      const lastOfPage = page.key(page.count - 1);
      const past = range && page.cut(after, until);
      yield page;
      if (past) return;
      if (!truncated) {
        tree.finish();
        if (!range) order.whole(count);
        return;
      }
      if (nextToken === undefined) {
        throw this.#fault(
          "a page says that more follow, and not where ('NextContinuationToken'): " +
            "the server may not know ListObjectsV2",
        );
      }
      const brought = lastOfPage !== undefined && !isSame(lastOfPage, last);
      if (brought && isSame(firstOfPage, begin)) throw this.#fault("its pages begin again");
      guard.next(nextToken, brought);
      begin ??= firstOfPage;
      place = placeBehind(nextToken, lastOfPage);
      last = lastOfPage ?? last;
    }
  }

  /** Checks the order of the keys of a page, and of its first key and the last one of the page before. */
  async #look(
    page: ListedPage,
    place: Place,
    last: Uint8Array | undefined,
    range: boolean,
    tree: TreeCheck,
  ): Promise<void> {
    const { order } = this.#options;
    const at = page.disorder();
    const first = page.key(0);
    const back = last !== undefined && first !== undefined && compare(first, last) <= 0;
    if (at < 0 && !back) return;
    if (range) throw order.fault();
    order.disorder();
    if (order.settled || !page.truncated) return;
    order.settled = true;
    // If a key out of order begins a page, the server does not leave such keys out. If not, a key within this page
    // is tested.
    if (!back) await tree.within(page, place, at);
  }

  /** Checks that a range begins after the key that was asked for. */
  async #checkStart(
    page: ListedPage,
    pages: S3Pages,
    input: S3ListInput,
    start: string,
  ): Promise<void> {
    const { order } = this.#options;
    const first = page.key(0);
    if (first === undefined || compare(first, textBytes(start)) > 0) return;
    // Either the server ignores where to begin, and lists from its very first key, or this key is out of order.
    const veryFirst = (await pages.aside({ ...input, MaxKeys: 1 })).key(0);
    if (!isSame(veryFirst, first)) throw order.fault();
    order.startsOver();
  }

  #fault(what: string): ExternalError {
    const { source } = this.#options;
    return new ExternalError("protocol", `Cannot list '${source}' as ${what}`, { source });
  }
}
