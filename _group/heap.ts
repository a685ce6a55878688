/** A binary heap that knows the position of each entry, so that any entry can be removed or moved. */

/** An entry of a heap, ordered by `due`, then by who came first. The heap alone changes these. */
export interface Placed {
  /** The smallest comes out first. */
  due: number;
  /** Its number in the heap; -1 if it is in none. */
  slot: number;
}

/**
 * Moving an entry touches no other, as these lie all over the memory: the heap is made of numbers, and each entry has a
 * slot that it keeps.
 */
export class Heap<E extends Placed> {
  // By slot.
  readonly #entries: (E | undefined)[] = [];
  readonly #places: number[] = [];
  readonly #free: number[] = [];
  // By place: the order of the heap.
  readonly #slots: number[] = [];
  readonly #dues: number[] = [];
  readonly #orders: number[] = [];
  #count = 0;

  /** The entry with the smallest `due`. */
  get top(): E | undefined {
    const slot = this.#slots[0];
    return slot === undefined ? undefined : this.#entries[slot];
  }

  /** Adds an entry, or moves it. */
  set(entry: E, due: number): void {
    const isNew = entry.slot < 0;
    if (isNew) {
      entry.slot = this.#free.pop() ?? this.#entries.length;
      this.#entries[entry.slot] = entry;
    }
    entry.due = due;
    const place = isNew ? this.#slots.length : this.#places[entry.slot] as number;
    this.#settle(place, entry.slot, due, this.#count++);
  }

  /** Removes an entry, if it is in the heap. */
  delete(entry: E): void {
    const { slot } = entry;
    if (slot < 0) return;
    entry.slot = -1;
    this.#entries[slot] = undefined;
    this.#free.push(slot);
    const last = this.#slots.pop() as number;
    const due = this.#dues.pop() as number;
    const order = this.#orders.pop() as number;
    if (last !== slot) this.#settle(this.#places[slot] as number, last, due, order);
  }

  /** Puts an entry where it belongs, given a place that is free. */
  #settle(place: number, slot: number, due: number, order: number): void {
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (!this.#isBefore(due, order, parent)) break;
      this.#move(parent, place);
      place = parent;
    }
    for (;;) {
      let child = 2 * place + 1;
      if (child >= this.#slots.length) break;
      const right = child + 1;
      if (
        right < this.#slots.length &&
        this.#isBefore(this.#dues[right] as number, this.#orders[right] as number, child)
      ) child = right;
      if (this.#isBefore(due, order, child)) break;
      this.#move(child, place);
      place = child;
    }
    this.#put(place, slot, due, order);
  }

  /** Whether an entry comes before the one at a place. */
  #isBefore(due: number, order: number, place: number): boolean {
    const other = this.#dues[place] as number;
    return due < other || due === other && order < (this.#orders[place] as number);
  }

  #move(from: number, to: number): void {
    const slot = this.#slots[from] as number;
    this.#put(to, slot, this.#dues[from] as number, this.#orders[from] as number);
  }

  #put(place: number, slot: number, due: number, order: number): void {
    this.#slots[place] = slot;
    this.#dues[place] = due;
    this.#orders[place] = order;
    this.#places[slot] = place;
  }
}
