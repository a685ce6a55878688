/** Checkpoints as objects of a store: each begins with a line that tells whose it is. */
import { withRoom } from "../_bytes/bytes.ts";
import {
  END_OF_HEAD,
  frame,
  join,
  mayBeHead,
  unframe,
  type Unframed,
} from "../_state/owner_line.ts";
import type { Found, Records } from "../_state/fenced.ts";
import { checkpointName, keyOfName } from "../_state/name.ts";
import { ExternalError } from "../_errors/external_error.ts";
import { checkConditions, isRefusal, noEtag, type WritableStore } from "./put_conditions.ts";
import type { ObjectMeta } from "../_diff/object_meta.ts";

/** How many objects a listing reads at once. */
const AT_ONCE = 8;
/** How often reading is tried while others write the object. */
const TRIES = 5;

export class CheckpointObjects implements Records {
  readonly #store: WritableStore;
  readonly #prefix: string;

  constructor(store: WritableStore, prefix: string) {
    this.#store = store;
    this.#prefix = prefix;
  }

  async read(key: string, toWrite = false): Promise<Found | undefined> {
    const object = await this.#objectKey(key);
    for (let tries = 1;; tries++) {
      const found = await this.#find(object);
      if (found === undefined) return undefined;
      if (toWrite && found.etag === undefined) throw noEtag(this.#store, key);
      try {
        return await this.#get(found, key);
      } catch (thrown) {
        // Somebody has written or deleted it since it was listed.
        const { status } = thrown instanceof ExternalError ? thrown : {};
        if (tries === TRIES || status !== 412 && status !== 404) throw thrown;
      }
    }
  }

  async #get({ key: object, etag }: ObjectMeta, key: string): Promise<Found> {
    const stream = await this.#store.get(object, etag === undefined ? {} : { ifMatch: etag });
    const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
    const { head, state } = unframe(bytes, key);
    return {
      mark: head?.mark ?? await digestOf(bytes),
      ...(etag !== undefined && { version: etag }),
      ...(head?.empty !== true && { state }),
    };
  }

  async write(
    key: string,
    { mark, state }: Omit<Found, "version">,
    version: string | undefined,
  ): Promise<string | undefined> {
    await checkConditions(this.#store, `${this.#prefix}conditions.probe`, key);
    const body = state === undefined
      ? frame({ key, mark, empty: true })
      : join(frame({ key, mark }), state);
    const options = version === undefined ? { ifNoneMatch: "*" as const } : { ifMatch: version };
    try {
      return (await this.#store.put(await this.#objectKey(key), body, options)).etag;
    } catch (thrown) {
      if (isRefusal(thrown, options)) return undefined;
      throw thrown;
    }
  }

  async locate(key: string): Promise<string> {
    return `${this.#store.name}/${await this.#objectKey(key)}`;
  }

  /** The keys that have a state, as far as the objects tell their keys. */
  async *list(): AsyncGenerator<string, void> {
    const seen = new Set<string>(); // A store may list an object twice.
    for await (const page of this.#store.list({ prefix: this.#prefix })) {
      const objects = page.filter(({ key }) => {
        const isNew = key.endsWith(".checkpoint") && !seen.has(key);
        if (isNew) seen.add(key);
        return isNew;
      });
      for (let i = 0; i < objects.length; i += AT_ONCE) {
        const keys = await Promise.all(objects.slice(i, i + AT_ONCE).map((it) => this.#keyOf(it)));
        for (const key of keys) if (key !== undefined) yield key;
      }
    }
  }

  async #keyOf(object: ObjectMeta): Promise<string | undefined> {
    const unframed = await this.#readHead(object.key);
    return unframed && await keyOfName(object.key.slice(this.#prefix.length), unframed.head);
  }

  /** The first bytes of an object, or undefined if it is gone by now. */
  async #readHead(object: string): Promise<Unframed | undefined> {
    let stream: ReadableStream<Uint8Array>;
    try {
      stream = await this.#store.get(object);
    } catch (thrown) {
      if (thrown instanceof ExternalError && thrown.status === 404) return undefined;
      throw thrown;
    }
    let bytes: Uint8Array = new Uint8Array(256);
    let length = 0;
    for await (const chunk of stream) {
      bytes = withRoom(bytes, length, length + chunk.length);
      bytes.set(chunk, length);
      length += chunk.length;
      // Leaving the loop cancels the rest.
      if (!mayBeHead(bytes.subarray(0, length)) || chunk.includes(END_OF_HEAD)) break;
    }
    return unframe(bytes.subarray(0, length));
  }

  async #find(object: string): Promise<ObjectMeta | undefined> {
    for await (const page of this.#store.list({ prefix: object })) {
      const found = page.find(({ key }) => key === object);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  async #objectKey(key: string): Promise<string> {
    return this.#prefix + await checkpointName(key);
  }
}

async function digestOf(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  return btoa(String.fromCharCode(...new Uint8Array(digest)));
}
