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
  #count = 0;

  /** The entry with the smallest `due`. */
  get top(): E | undefined {
    return this.#entries[0];
  }

  /** Adds an entry, or moves it. */
  set(entry: E, due: number): void {
    const isIn = entry.place >= 0;
    entry.due = due;
    entry.order = this.#count++;
    if (!isIn) {
      entry.place = this.#entries.length;
      this.#entries.push(entry);
    }
    this.#settle(entry);
  }

  /** Removes an entry, if it is in the heap. */
  delete(entry: E): void {
    const { place } = entry;
    if (place < 0) return;
    entry.place = -1;
    const last = this.#entries.pop() as E;
    if (last === entry) return;
    this.#put(last, place);
    this.#settle(last);
  }

  #settle(entry: E): void {
    this.#rise(entry);
    this.#sink(entry);
  }

  #rise(entry: E): void {
    while (entry.place > 0) {
      const parent = this.#entries[(entry.place - 1) >> 1] as E;
      if (!isBefore(entry, parent)) return;
      this.#swap(entry, parent);
    }
  }

  #sink(entry: E): void {
    for (;;) {
      const left = this.#entries[2 * entry.place + 1];
      const right = this.#entries[2 * entry.place + 2];
      const child = right !== undefined && left !== undefined && isBefore(right, left)
        ? right
        : left;
      if (child === undefined || !isBefore(child, entry)) return;
      this.#swap(child, entry);
    }
  }

  #swap(a: E, b: E): void {
    const { place } = a;
    this.#put(a, b.place);
    this.#put(b, place);
  }

  #put(entry: E, place: number): void {
    this.#entries[place] = entry;
    entry.place = place;
  }
}

function isBefore(a: Placed, b: Placed): boolean {
  return a.due < b.due || a.due === b.due && a.order < b.order;
}
