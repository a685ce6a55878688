/** Remembers every n-th key of a listing that is not kept whole, and how many keys there are up to it. */
import { compareKeys } from "../_bytes/order.ts";
import type { ObjectMeta } from "../_diff/object_meta.ts";
import type { Cut, Layout } from "./range_plan.ts";
import type { Progress } from "./segment.ts";

// If there are more, every second one is forgotten.
const MAX_SAMPLES = 4096;

/** Samples the keys of one range, page by page. */
export class KeySample implements Progress, Layout {
  count = 0;
  inOrder = true;
  first: string | undefined;
  last: string | undefined;
  #samples: Cut[] = [];
  #stride = 1;
  #page: readonly ObjectMeta[] = [];
  #beforePage = 0;

  /** Call it for each page, before its keys. */
  beginPage(page: readonly ObjectMeta[]): void {
    this.#page = page;
    this.#beforePage = this.count;
  }

  /** Call it for each key. */
  see(key: string): void {
    this.inOrder &&= this.last === undefined || compareKeys(this.last, key) < 0;
    this.first ??= key;
    this.last = key;
    // Only a key that every server accepts in a request.
    if (++this.count % this.#stride === 0 && key.isWellFormed()) {
      this.#samples.push({ key, count: this.count });
      if (this.#samples.length > MAX_SAMPLES) this.#thin();
    }
  }

  /** The sample of the keys up to and including this one, which the last page has reached. */
  upTo(key: string): KeySample {
    const part = new KeySample();
    part.count = this.#beforePage +
      this.#page.filter((object) => compareKeys(object.key, key) <= 0).length;
    part.inOrder = this.inOrder;
    part.first = this.first;
    part.last = key;
    part.#samples = this.#samples.filter(({ count }) => count <= part.count);
    return part;
  }

  cutAt(count: number): Cut | undefined {
    return this.#samples.findLast((sample) => sample.count <= count);
  }

  #thin(): void {
    this.#stride *= 2;
    this.#samples = this.#samples.filter(({ count }) => count % this.#stride === 0);
  }
}
