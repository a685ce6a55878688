/** Reads one file of a WebDAV server, on a condition that not every server honours. */
import { ExternalError } from "../_errors/external_error.ts";
import { isTag, listedTag } from "./etag.ts";
import { type DavClient, isKey } from "./webdav_client.ts";

type Body = ReadableStream<Uint8Array>;

/** Reads one file. */
export class DavReader {
  readonly #client: DavClient;
  readonly #key: string;
  readonly #doing: string;
  readonly #signal: AbortSignal | undefined;

  constructor(client: DavClient, key: string, signal: AbortSignal | undefined) {
    this.#client = client;
    this.#key = key;
    this.#doing = `get '${key}' from`;
    this.#signal = signal;
  }

  /** @param ifMatch The ETag that the file must have. */
  async read(ifMatch: string | undefined): Promise<Body> {
    if (!isKey(this.#key)) throw this.#missing();
    if (ifMatch === undefined) return await this.#open({});
    const tag = listedTag(ifMatch);
    // A weak tag never matches, even if it is weak only for a second and the content is the same. So after a
    // refusal the file is asked for without the condition: the ETag of that answer decides.
    const body = isTag(tag) ? await this.#open({ "if-match": tag }, tag, true) : undefined;
    return body ?? await this.#open({}, tag);
  }

  async #open(headers: Record<string, string>, tag?: string): Promise<Body>;
  async #open(
    headers: Record<string, string>,
    tag: string,
    mayRefuse: true,
  ): Promise<Body | undefined>;
  async #open(headers: Record<string, string>, tag?: string, mayRefuse = false) {
    let etag: string | null = null;
    let other = false;
    const wants = (answer: Headers) => {
      etag = answer.get("etag");
      other = tag !== undefined && etag !== null && listedTag(etag) !== tag;
      return !other;
    };
    let body: Body;
    try {
      body = await this.#client.open(this.#key, headers, wants, this.#signal);
    } catch (thrown) {
      if (other) throw this.#changed();
      const status = thrown instanceof ExternalError ? thrown.status : undefined;
      if (status === 412 && mayRefuse) return undefined;
      if (status === 412) throw this.#changed();
      if (status === 404 || status === 410) throw this.#missing();
      throw this.#client.failure(this.#doing, thrown);
    }
    if (tag !== undefined && etag === null) await this.#checkTag(tag, body);
    return body;
  }

  /**
   * If the answer has no ETag, the properties may have one: asked for after the answer, they are those of this
   * content or a later one.
   */
  async #checkTag(tag: string, body: Body): Promise<void> {
    let checked = false;
    try {
      const found = await this.#client.etagOf(this.#doing, this.#key, this.#signal);
      if (found === undefined) {
        throw this.#client.error(
          this.#doing,
          "the server does not tell its ETag, so whether it changed is not known",
        );
      }
      if (listedTag(found) !== tag) throw this.#changed();
      checked = true;
    } finally {
      if (!checked) body.cancel().catch(() => {}); // Why it is not wanted is thrown.
    }
  }

  #changed(): Error {
    return this.#client.error(this.#doing, "it changed: its ETag is another one", 412);
  }

  #missing(): Error {
    return this.#client.error(this.#doing, "it does not exist", 404);
  }
}
