/**
 * What was handed out of a delivery whose events are acknowledged one by one, and was not handled yet: what is out with the
 * consumer, and what was set aside.
 *
 * A snapshot goes on without them: it has the newest state of such an item. Here is kept what the consumer handled last and what it
 * was told last, so that the state of a poller can be told exactly at any moment.
 *
 * @module
 */

/** An item that is apart from the snapshot. */
export interface OpenItem<V> {
  /** The state that was handled last; undefined if none was, or if that was its removal. */
  handled: V | undefined;
  /** The state that was handed out last. */
  told: V;
  /**
   * `out` with the consumer; `aside`, until it is asked for again; `due`: to be reported by the next poll; `settled`: handled,
   * ahead of where the delivery in progress has come to.
   */
  state: "out" | "aside" | "due" | "settled";
}

export class OpenItems<V extends { readonly key: string }> {
  readonly #items = new Map<string, OpenItem<V>>();

  get size(): number {
    return this.#items.size;
  }

  has(key: string): boolean {
    return this.#items.has(key);
  }

  get(key: string): OpenItem<V> | undefined {
    return this.#items.get(key);
  }

  /** An item is handed out. */
  put(told: V, handled: V | undefined): void {
    this.#items.set(told.key, { handled, told, state: "out" });
  }

  delete(key: string): void {
    this.#items.delete(key);
  }

  /** The keys that are set aside. */
  *aside(): Iterable<string> {
    for (const [key, { state }] of this.#items) {
      if (state === "aside" || state === "due") yield key;
    }
  }

  /** What a snapshot of what was handled must have in their places. */
  handled(): Map<string, V | undefined> {
    const values = new Map<string, V | undefined>();
    for (const [key, { handled }] of this.#items) values.set(key, handled);
    return values;
  }

  /** What a snapshot of what is in doubt must have in their places: what is settled is not. */
  told(): Map<string, V | undefined> {
    const values = new Map<string, V | undefined>();
    for (const [key, { told, state }] of this.#items) {
      values.set(key, state === "settled" ? undefined : told);
    }
    return values;
  }

  /** Takes out the items that are in one of these states. */
  take(...states: readonly OpenItem<V>["state"][]): OpenItems<V> {
    const taken = new OpenItems<V>();
    for (const [key, item] of this.#items) {
      if (!states.includes(item.state)) continue;
      taken.#items.set(key, item);
      this.#items.delete(key);
    }
    return taken;
  }

  clear(): void {
    this.#items.clear();
  }
}
