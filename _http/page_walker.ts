/** Walks the pages of a JSON API, from the first to the one without a next, with conditional requests. */
import type { PollOptions } from "../_diff/source.ts";
import { ExternalError } from "../_errors/external_error.ts";
import { redactUrl } from "../_errors/redact.ts";
import { Conditions } from "./conditional.ts";
import { PageMemory, type RememberedPage, updatedBy, worthKeeping } from "./page_memory.ts";
import { type PageOptions, PageReader } from "./page_reader.ts";
import type { HttpClient, Reply } from "./request.ts";
import { renewedBy, validatorsOf } from "./validators.ts";

/** A page to be asked for. */
interface Place {
  readonly url: URL;
  /** Its number, from 1. */
  readonly nth: number;
  /** False once the pages have led to another origin: from then on no credentials are sent. */
  readonly trusted: boolean;
}

/** What a walk learned of a page. */
interface Step<T> {
  readonly items: readonly T[];
  /** The page for the next walk; undefined if it has no validators. */
  readonly kept: RememberedPage | undefined;
  /** Undefined after the last page. */
  readonly next: Place | undefined;
}

/** Walks the same pages in every poll. */
export class PageWalker<T> {
  readonly #client: HttpClient;
  readonly #options: PageOptions<T>;
  readonly #maxPages: number;
  readonly #memory: PageMemory = new PageMemory();
  readonly #conditions: Conditions = new Conditions();

  constructor(client: HttpClient, options: PageOptions<T>, maxPages: number) {
    this.#client = client;
    this.#options = options;
    this.#maxPages = maxPages;
  }

  /** Gives the items, page by page. The pages are remembered when the walk ends, even if it failed. */
  async *walk(poll: PollOptions): AsyncGenerator<readonly T[]> {
    const pages = new Map<string, RememberedPage>();
    const asked = new Set<string>();
    let whole = false;
    try {
      let place: Place | undefined = { url: this.#client.url, nth: 1, trusted: true };
      while (place !== undefined) {
        const { href } = place.url;
        asked.add(href);
        const { items, kept, next }: Step<T> = await this.#step(poll, place, asked);
        if (kept !== undefined) pages.set(href, kept);
        yield items;
        place = next;
      }
      whole = true;
    } finally {
      this.#memory.take(pages, whole);
      this.#conditions.ended(whole);
    }
  }

  async #step(poll: PollOptions, place: Place, asked: ReadonlySet<string>): Promise<Step<T>> {
    try {
      const reply = await this.#fetch(poll, place);
      const page = this.#pageOf(reply, place);
      const headers = new Headers(page.headers.map(([name, value]) => [name, value]));
      const reader = new PageReader(this.#client, this.#options, reply);
      const { items, next } = await reader.read({ ...page, headers }, poll.signal);
      if (next !== undefined) this.#checkNext(next, asked, reply);
      return {
        items,
        kept: worthKeeping(page),
        next: next && { url: next, nth: place.nth + 1, trusted: reply.trusted },
      };
    } catch (thrown) {
      throw poll.signal.aborted ? thrown : this.#onPage(thrown, place.nth);
    }
  }

  async #fetch(poll: PollOptions, { url, trusted }: Place): Promise<Reply> {
    const client = this.#client;
    const seen = this.#memory.get(url.href)?.validators;
    const reply = await this.#conditions.ask({ client, poll, seen, url, trusted });
    const { status, headers } = reply;
    // This is an error even for the first page: an empty collection is an empty page, not a missing one.
    if (status === 404 || status === 410) throw client.statusError(status, headers, reply);
    return reply;
  }

  /** The page of an answer, or after a 304 the remembered one, updated by its headers. */
  #pageOf(reply: Reply, { url }: Place): RememberedPage {
    const { status, headers, body } = reply;
    const known = this.#memory.get(url.href);
    if (status !== 304 || known === undefined) {
      const validators = validatorsOf(reply, known?.validators);
      return { validators, status, headers: [...headers], body };
    }
    return {
      ...known,
      validators: renewedBy(reply, known.validators),
      headers: updatedBy(headers, known.headers),
    };
  }

  /** Throws unless the link leads to an HTTP page that was not requested yet, within `maxPages`. */
  #checkNext(next: URL, asked: ReadonlySet<string>, from: Reply): void {
    const { protocol } = next;
    if (protocol !== "http:" && protocol !== "https:") {
      const what = `the link to the next page leads to ${protocol}`;
      throw this.#client.error("protocol", what, { from });
    }
    next.username = next.password = next.hash = "";
    if (asked.has(next.href)) {
      const what = `the pages lead back to ${redactUrl(next)}`;
      throw this.#client.error("protocol", what, { from });
    }
    if (asked.size >= this.#maxPages) {
      const what = `more than ${this.#maxPages} pages; see 'maxPages'`;
      throw this.#client.error("protocol", what, { from });
    }
  }

  /** The same error, with the number of the page. */
  #onPage(thrown: unknown, nth: number): unknown {
    if (!(thrown instanceof ExternalError)) return thrown;
    const { code, message, source, status, retryAfter, cause } = thrown;
    return new ExternalError(code, `${message} (page ${nth})`, {
      ...(source !== undefined && { source }),
      ...(status !== undefined && { status }),
      ...(retryAfter !== undefined && { retryAfter }),
      ...(cause !== undefined && { cause }),
    });
  }
}
