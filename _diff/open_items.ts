/**
 * The items that were handed out and not handled yet, where events are acknowledged one by one: those that are with the
 * consumer, and those that were set aside.
 *
 * A snapshot does not wait for them: it has the newest state of such an item. This class keeps which state the consumer
 * handled last, and which it was told last, so that the exact state of a poller can be saved at any moment.
 *
 * @module
 */

/** An item that is tracked apart from the snapshot. */
export interface OpenItem<V> {
  /** The state that was handled last; undefined if none was, or if that was its removal. */
  handled: V | undefined;
  /** The state that was handed out last. */
  told: V;
  /**
   * `out`: with the consumer; `aside`: set aside until it is asked for again; `due`: to be reported by the next poll;
   * `settled`: handled, although the delivery in progress has not reached its key yet.
   */
  state: "out" | "aside" | "due" | "settled";
}

export class OpenItems<V extends { readonly key: string }> {
  readonly #items = new Map<string, OpenItem<V>>();

  has(key: string): boolean {
    return this.#items.has(key);
  }

  get(key: string): OpenItem<V> | undefined {
    return this.#items.get(key);
  }

  /** Records that an item was handed out. */
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

  /** For these keys, the values for the snapshot of what was handled. */
  handled(): Map<string, V | undefined> {
    const values = new Map<string, V | undefined>();
    for (const [key, { handled }] of this.#items) values.set(key, handled);
    return values;
  }

  /** For these keys, the values for the snapshot of what is in doubt. A settled item is not in doubt. */
  told(): Map<string, V | undefined> {
    const values = new Map<string, V | undefined>();
    for (const [key, { told, state }] of this.#items) {
      values.set(key, state === "settled" ? undefined : told);
    }
    return values;
  }

  /** Removes the items that are in one of these states, and returns them. */
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
