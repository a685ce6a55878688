/** A binary heap that knows the position of each entry, so that any entry can be removed or moved. */

/** An entry of a heap, ordered by `due`, then by who came first. The heap maintains `place` and `order`. */
export interface Placed {
  /** The smallest comes out first. Changed by the heap alone. */
  due: number;
  /** The index in the heap; -1 if it is in none. */
  place: number;
  order: number;
}

export class Heap<E extends Placed> {
  readonly #entries: E[] = [];
  /** The `due` of each entry: comparing these does not touch the entries, which lie all over the memory. */
  readonly #dues: number[] = [];
  #count = 0;

  /** The entry with the smallest `due`. */
  get top(): E | undefined {
    return this.#entries[0];
  }

  /** Adds an entry, or moves it. */
  set(entry: E, due: number): void {
    entry.due = due;
    entry.order = this.#count++;
    this.#settle(entry, entry.place < 0 ? this.#entries.length : entry.place);
  }

  /** Removes an entry, if it is in the heap. */
  delete(entry: E): void {
    const { place } = entry;
    if (place < 0) return;
    entry.place = -1;
    const last = this.#entries.pop() as E;
    this.#dues.pop();
    if (last !== entry) this.#settle(last, place);
  }

  /** Puts an entry where it belongs, where the place given is free. */
  #settle(entry: E, place: number): void {
    const { due } = entry;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (!this.#isBefore(due, entry, parent)) break;
      this.#put(this.#entries[parent] as E, place);
      place = parent;
    }
    for (;;) {
      let child = 2 * place + 1;
      if (child >= this.#entries.length) break;
      const right = child + 1;
      if (
        right < this.#entries.length &&
        this.#isBefore(this.#dues[right] as number, this.#entries[right] as E, child)
      ) child = right;
      if (this.#isBefore(due, entry, child)) break;
      this.#put(this.#entries[child] as E, place);
      place = child;
    }
    this.#put(entry, place);
  }

  /** Whether an entry comes before the one at a place. `due` is the entry's: it is looked at only if both are the same. */
  #isBefore(due: number, entry: E, place: number): boolean {
    const other = this.#dues[place] as number;
    return due < other || due === other && entry.order < (this.#entries[place] as E).order;
  }

  #put(entry: E, place: number): void {
    this.#entries[place] = entry;
    this.#dues[place] = entry.due;
    entry.place = place;
  }
}
