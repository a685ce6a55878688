/** The source that watches any keyed list. */
import { acknowledge } from "../_diff/acknowledgement_of.ts";
import { orAborted } from "../_bounds/abort.ts";
import { ItemBuilder } from "../_diff/builder.ts";
import { HeldItems } from "../_diff/held_items.ts";
import { itemCodec, type ItemRecord } from "../_diff/item_identity.ts";
import { type ItemValues, itemValues } from "../_diff/item_values.ts";
import { knownItems } from "../_diff/known.ts";
import { Part } from "../_diff/part.ts";
import { patch } from "../_diff/patch.ts";
import type { Change, Snapshot } from "../_diff/snapshot.ts";
import type {
  Acknowledgement,
  ExternalEvent,
  ExternalSource,
  PollOptions,
} from "../_diff/source.ts";
import { Tracker } from "../_diff/tracker.ts";
import { kindOf } from "../_errors/kind_of.ts";
import { reasonOf } from "../_errors/redact.ts";
import { ItemReader } from "./item_reader.ts";
import { checkOptions, type CollectionPollerOptions, type ItemList } from "./collection_options.ts";
import { itemOf, jsonCodec, parsed, snapshotOf } from "./item_records.ts";
import { eachPage } from "./every_page.ts";
import { type ChangesPage, Since, type SinceOptions } from "./since.ts";

export type { ChangesPage, CollectionPollerOptions, ItemList, SinceOptions };

/**
 * Polls a keyed list. A poll lists all items, and reports what changed since the last listing, in UTF-8 byte order
 * of the keys.
 *
 * Items are kept as JSON, and events are made from it: what JSON cannot hold, such as a `Date` or a method, is not
 * in an event. Two items that differ only in the order of their fields are different. A checkpoint holds the JSON
 * as well: if items are large, or must not be in a file, use `remember: "version"`.
 *
 * @example Only keys and versions are kept
 * ```ts
 * import { CollectionPoller } from "@koprs/external/collection";
 *
 * interface Secret {
 *   id: string;
 *   revision: string;
 *   value?: string;
 * }
 * const secrets = new CollectionPoller<Secret>({
 *   name: "secrets",
 *   async *list() {
 *     yield [{ id: "db", revision: "7", value: "hunter2" }];
 *   },
 *   key: ({ id }) => id,
 *   version: ({ revision }) => revision,
 *   remember: "version",
 *   removed: (id, revision) => ({ id, revision }),
 * });
 * const [event] = await secrets.poll({ signal: new AbortController().signal });
 * console.assert(event?.item.value === "hunter2");
 * ```
 */
export class CollectionPoller<Raw, T = Raw> implements ExternalSource<T> {
  /** Names the source in logs, spans and checkpoints. */
  readonly name: string;
  /**
   * Receives what became of each event, by the key of its item. With `remember: "version"` an item that was set
   * aside is reported by the next poll, as only a listing has the item itself.
   */
  readonly acknowledgement: Acknowledgement<T>;
  /** The keys of events. They are remembered, as `key` may fail for an item that went through JSON. */
  readonly #keys: WeakMap<ExternalEvent<T>, string> = new WeakMap();
  readonly #list: CollectionPollerOptions<Raw, T>["list"];
  readonly #since: Since<unknown> | undefined;
  readonly #values: ItemValues<T>;
  readonly #removed: CollectionPollerOptions<Raw, T>["removed"];
  readonly #reader: ItemReader<T>;
  readonly #tracker: Tracker<ItemRecord>;

  /**
   * Lists nothing yet.
   *
   * @param options How to list the collection, and how to tell its items apart.
   * @throws {TypeError} If an option cannot be used.
   * @throws {RangeError} If a number is out of range.
   */
  constructor(options: CollectionPollerOptions<Raw, T>) {
    checkOptions(options);
    const { name, list, key, version, removed, maxRemoved = 1, remember, schema, parse } = options;
    this.#values = { schema, parse: parse as ItemValues<T>["parse"] };
    this.#since = options.since && new Since(name, options.since);
    this.name = name;
    this.#list = list;
    this.#removed = removed;
    this.#reader = new ItemReader(name, key, version);
    // The bytes of a state mean something different for each of these.
    const kept = remember === "version"
      ? "version only"
      : version === undefined
      ? "json"
      : "version";
    const identity = JSON.stringify(["items", name, kept]);
    this.#tracker = new Tracker({
      name,
      identity,
      codec: kept === "version only" ? itemCodec : jsonCodec,
      build: snapshotOf,
      maxRemoved,
    });
    this.acknowledgement = acknowledge(
      this.#tracker,
      (event) => this.#keys.get(event) ?? this.#reader.keyOf(event.item, 1),
      kept === "version only"
        ? undefined
        : (change) => this.#keyed(parsed(change), change.item.key),
    );
  }

  /**
   * Polls once. The new state is committed when the iterable is read to its end.
   *
   * @param options The signal that aborts it.
   * @returns The changes, computed while they are read.
   * @throws {ExternalError} If the listing failed on any page, or too much would be removed.
   */
  async poll(options: PollOptions): Promise<Iterable<ExternalEvent<T>>> {
    this.#tracker.begin(options);
    const since = this.#since;
    const token = since?.begin(options);
    const told = since && token !== undefined && await this.#askSince(since, token, options);
    if (told) return told;
    const sweptAt = Date.now();
    const next = await since?.now(options);
    const builder = new ItemBuilder(this.#tracker.committed);
    const changed = this.#changed(options);
    await this.#readAll(await this.#pages(options), options, builder, changed);
    const events = this.#deliver(builder.finish(), options, changed);
    return since && next !== undefined ? since.commit(events, next, sweptAt) : events;
  }

  /** Polls what changed since a token. Undefined if the token is too old. */
  async #askSince(
    since: Since<unknown>,
    token: string,
    options: PollOptions,
  ): Promise<Iterable<ExternalEvent<T>> | undefined> {
    const { committed } = this.#tracker;
    const builder = new ItemBuilder();
    const changed = this.#changed(options);
    const gone = new Set<string>();
    const next = await since.read(token, options, async ({ items = [], removed = [] }) => {
      const page = new ItemBuilder();
      await this.#readAll(onePage(items), options, page, changed);
      for (const { key, version, json } of page.finish().values(itemCodec)) {
        builder.add(key, version, json);
        gone.delete(key);
      }
      for (const key of removed) gone.add(key);
    });
    if (next === undefined) return undefined;
    const edits = new Map<string, ItemRecord | undefined>();
    for (const record of builder.finish().values(itemCodec)) edits.set(record.key, record);
    for (const key of gone) edits.set(key, undefined);
    const listed = patch(committed, edits, { codec: itemCodec, build: snapshotOf });
    const part = new Part(undefined, edits.keys());
    return since.commit(this.#deliver(listed, options, changed, part), next);
  }

  #changed({ all }: PollOptions): HeldItems<T> | undefined {
    const { committed, doubtful } = this.#tracker;
    return this.#removed && new HeldItems<T>(committed, doubtful, all === true);
  }

  async #readAll(
    pages: AsyncIterable<unknown>,
    { signal }: PollOptions,
    builder: ItemBuilder,
    changed: HeldItems<T> | undefined,
  ): Promise<void> {
    const { schema, parse } = this.#values;
    const read = schema === undefined && parse === undefined ? pages : this.#read(pages);
    let nth = 0;
    await eachPage(read, signal, (page) => {
      for (const item of this.#itemsOf<T>(page)) this.#add(item, ++nth, builder, changed);
    });
  }

  #deliver(
    next: Snapshot,
    options: PollOptions,
    changed: HeldItems<T> | undefined,
    part?: Part,
  ): Iterable<ExternalEvent<T>> {
    const changes = this.#tracker.deliver(next, options, part);
    if (changed === undefined) return this.#events(changes, parsed, options);
    return this.#events(changes, (change) => this.#whole(change, changed), options);
  }

  /** How many items are known. */
  get size(): number {
    return this.#tracker.committed.count;
  }

  /**
   * The known state of an item: as of the last poll whose events were all handled or, by handlers, set aside.
   * Undefined if the item is not known.
   *
   * With `remember: "version"` it is what the option `removed` makes of the key and the version.
   *
   * @param key The key of the item.
   * @throws {ExternalError} With code `invalid` if `removed` throws.
   */
  get(key: string): T | undefined {
    const known = this.#tracker.committed.get(key, itemCodec);
    return known && this.#known(known);
  }

  /**
   * Whether an item is known.
   *
   * @param key The key of the item.
   */
  has(key: string): boolean {
    return this.#tracker.committed.get(key, itemCodec) !== undefined;
  }

  /**
   * The known items, in UTF-8 byte order of their keys, made while they are read. Later polls do not change an
   * iteration that has begun. With `remember: "version"` each is what the option `removed` makes of its key and
   * version.
   *
   * @param prefix Only keys that begin with this string.
   */
  items(prefix?: string): IterableIterator<T> {
    const records = knownItems(this.#tracker.committed, itemCodec, prefix ?? "");
    return mapped(records, (record) => this.#known(record));
  }

  /**
   * Gives, without a request, what a poll would give if there were no items any more. The removals are committed
   * when the iterable is read to its end.
   *
   * @param options How the events are acknowledged.
   * @returns A `removed` for every item that is known or in doubt.
   */
  withdraw(options: PollOptions): Iterable<ExternalEvent<T>> {
    const goneOf = ({ item }: Change<ItemRecord>): ExternalEvent<T> => ({
      type: "removed",
      item: this.#gone(item.key, item.version),
    });
    const changes = this.#tracker.withdraw(options);
    return this.#events(changes, this.#removed === undefined ? parsed : goneOf, options);
  }

  /** The state that was handled, as bytes: what {@linkcode restore} takes. */
  save(): Uint8Array {
    return this.#tracker.save();
  }

  /**
   * Continues from what `save` gave, in this or another process.
   *
   * @throws {ExternalError} With code `checkpoint` if the bytes are damaged, or are not of this collection.
   */
  restore(state: Uint8Array): void {
    this.#tracker.restore(state);
    this.#since?.forget();
  }

  async #pages(options: PollOptions): Promise<AsyncIterable<unknown>> {
    options.signal.throwIfAborted();
    const pages: unknown = this.#list(options);
    if (isAsyncIterable(pages)) return pages;
    const all: unknown = await orAborted(Promise.resolve(pages), options.signal);
    if (Array.isArray(all)) return onePage(all);
    throw this.#reader.error(
      "invalid",
      `'list' gave ${kindOf(all)}, no array and no async iterable`,
    );
  }

  /** The pages, with what `schema` or `parse` makes of their items. */
  async *#read(pages: AsyncIterable<unknown>): AsyncGenerator<readonly T[]> {
    let before = 0;
    for await (const page of pages) {
      const items = this.#itemsOf<unknown>(page);
      yield await itemValues(items, this.#values, (place, thrown) => {
        const option = this.#values.schema === undefined ? "parse" : "schema";
        const nth = before + place + 1;
        const what = `'${option}' rejected item ${nth} of the listing: ${reasonOf(thrown)}`;
        return this.#reader.error("invalid", what, thrown);
      });
      before += items.length;
    }
  }

  #itemsOf<I>(page: unknown): readonly I[] {
    if (Array.isArray(page)) return page;
    const what = `'list' gave a page that is not an array but ${kindOf(page)}`;
    throw this.#reader.error("protocol", what);
  }

  #add(item: T, nth: number, builder: ItemBuilder, changed: HeldItems<T> | undefined): void {
    const key = this.#reader.keyOf(item, nth);
    const version = this.#reader.versionOf(item, key);
    if (version !== undefined && changed !== undefined) {
      builder.add(key, version);
      changed.add(key, version, item);
      return;
    }
    const json = this.#reader.jsonOf(item, key);
    if (version === undefined) builder.add(key, json);
    else builder.add(key, version, json);
  }

  *#events(
    changes: Iterable<Change<ItemRecord>>,
    eventOf: (change: Change<ItemRecord>) => ExternalEvent<T>,
    { each }: PollOptions,
  ): Iterable<ExternalEvent<T>> {
    for (const change of changes) {
      const event = eventOf(change);
      yield each ? this.#keyed(event, change.item.key) : event;
    }
  }

  #keyed(event: ExternalEvent<T>, key: string): ExternalEvent<T> {
    this.#keys.set(event, key);
    return event;
  }

  /** The event of a change, with the item that was held for it. */
  #whole(
    { type, item: { key, version } }: Change<ItemRecord>,
    changed: HeldItems<T>,
  ): ExternalEvent<T> {
    if (type === "removed") return { type, item: this.#gone(key, version) };
    return { type, item: changed.take(key) as T }; // It is held, as it has changed.
  }

  #known(record: ItemRecord): T {
    return this.#removed === undefined ? itemOf(record) : this.#gone(record.key, record.version);
  }

  #gone(key: string, version: string): T {
    try {
      return (this.#removed as (key: string, version: string) => T)(key, version);
    } catch (thrown) {
      throw this.#reader.error("invalid", `'removed' failed: ${reasonOf(thrown)}`, thrown);
    }
  }
}

function isAsyncIterable(value: unknown): value is AsyncIterable<unknown> {
  return typeof (value as Partial<AsyncIterable<unknown>> | null | undefined)
    ?.[Symbol.asyncIterator] === "function";
}

async function* onePage(items: readonly unknown[]): AsyncIterable<unknown> {
  yield items;
}

function* mapped<A, B>(items: Iterable<A>, make: (item: A) => B): Generator<B, void, undefined> {
  for (const item of items) yield make(item);
}
