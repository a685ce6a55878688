/** Writes one file of a WebDAV server, on conditions that not every server honours. */
import { orAborted } from "../_bounds/abort.ts";
import { startTimer } from "../_bounds/timer.ts";
import { isTag, isWeak, listedTag } from "./etag.ts";
import type { PutOptions, PutResult } from "./object_store.ts";
import { type DavClient, isKey } from "./webdav_client.ts";

type Signal = AbortSignal | undefined;

/** How often, and after how many ms, a write is tried again because the ETag in its condition is still weak. */
const WEAK_TRIES = 3;
const WEAK_WAIT = 500;
/** The statuses by which a server may refuse a condition on a file that does not exist. */
const REFUSALS: readonly number[] = [404, 409, 412, 428];

/** Writes files. */
export class DavWriter {
  readonly #client: DavClient;
  /** Settled once it is known whether the server honours conditions. */
  #conditions: Promise<void> | undefined;

  constructor(client: DavClient) {
    this.#client = client;
  }

  async write(key: string, body: Uint8Array, options: PutOptions): Promise<PutResult> {
    const { ifMatch, ifNoneMatch, signal } = options;
    const client = this.#client;
    if (!isKey(key)) throw client.error("put to", `'${key}' is not a valid key of a file`);
    const doing = `put '${key}' to`;
    const tag = ifMatch === undefined ? undefined : listedTag(ifMatch);
    if (tag !== undefined && !isTag(tag)) {
      throw client.error(doing, `${ifMatch} is not an ETag that can be matched`);
    }
    const conditions: Record<string, string> = {};
    if (tag !== undefined) conditions["if-match"] = tag;
    if (ifNoneMatch !== undefined) conditions["if-none-match"] = ifNoneMatch;
    if (Object.keys(conditions).length > 0) await this.#requireConditions(signal);
    for (let tries = 1;; tries++) {
      const { status, headers } = await client.send("PUT", key, signal, conditions, body);
      if (status === 412 && tag !== undefined && await this.#isWeak(doing, key, tag, signal)) {
        if (tries === WEAK_TRIES) {
          throw client.error(doing, `its ETag is ${tag}, but weak, so none that can be matched`);
        }
        await wait(WEAK_WAIT, signal);
        continue;
      }
      if (status === 412) throw client.error(doing, "the condition does not hold", 412);
      if (status < 200 || status > 299) {
        const hint = status === 409 ? ": does its folder exist?" : "";
        throw client.error(doing, `the server answered ${status}${hint}`, status);
      }
      const etag = headers.get("etag");
      return etag === null ? {} : { etag: listedTag(etag) };
    }
  }

  /** Whether a file has this ETag marked as weak, as with Apache for a second after a write. */
  async #isWeak(doing: string, key: string, tag: string, signal: Signal): Promise<boolean> {
    const found = await this.#client.etagOf(doing, key, signal);
    return found !== undefined && isWeak(found) && listedTag(found) === tag;
  }

  /** Rejects unless the server refuses writes whose condition does not hold. */
  async #requireConditions(signal: Signal): Promise<void> {
    for (;;) {
      const mine = this.#conditions === undefined;
      try {
        return await orAborted(this.#conditions ??= this.#begin(signal), signal);
      } catch (thrown) {
        // The probe of another caller may have failed for a reason that is not this one's, such as an abort.
        if (mine || signal?.aborted) throw thrown;
      }
    }
  }

  #begin(signal: Signal): Promise<void> {
    const probing = this.#probe(signal);
    probing.catch(() => this.#conditions = undefined); // The next caller probes again.
    return probing;
  }

  async #probe(signal: Signal): Promise<void> {
    const client = this.#client;
    const key = `.koprs-${crypto.randomUUID()}`;
    const put = async (conditions: Record<string, string>) =>
      (await client.send("PUT", key, signal, conditions, new Uint8Array())).status;
    const expect = (status: number, right: boolean) => {
      if (right) return;
      if (status >= 200 && status <= 299) {
        throw client.error(
          "put to",
          "the server ignores conditions, so a write could overwrite another one",
        );
      }
      throw client.error("put to", `the server answered ${status} to '${key}'`, status);
    };
    try {
      const missing = await put({ "if-match": '"koprs"' });
      expect(missing, REFUSALS.includes(missing));
      const created = await put({ "if-none-match": "*" });
      expect(created, created >= 200 && created <= 299);
      const again = await put({ "if-none-match": "*" });
      expect(again, again === 412);
      const other = await put({ "if-match": '"koprs"' });
      expect(other, other === 412);
    } finally {
      await client.send("DELETE", key, undefined).catch(() => {}); // What went wrong before is thrown.
    }
  }
}

async function wait(ms: number, signal: Signal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const stop = startTimer(ms, resolve);
  try {
    await orAborted(promise, signal);
  } finally {
    stop();
  }
}
