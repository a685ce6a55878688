/** The parts that wait to be polled. Parts that overlap are merged. */
import type { ExternalPart } from "../_diff/part.ts";

// With more than these, everything is polled: waiting keys take memory, and each prefix takes a poll of its own.
const MOST_KEYS = 1_000;
const MOST_PREFIXES = 16;

export class PartQueue {
  readonly #prefixes: Set<string> = new Set();
  readonly #keys: Set<string> = new Set();
  /** Whether everything is to be polled, as there were too many parts. */
  #isAll = false;

  get isEmpty(): boolean {
    return !this.#isAll && this.#prefixes.size + this.#keys.size === 0;
  }

  /** Adds a part, except for what a waiting prefix covers already. */
  add({ prefix, keys = [] }: ExternalPart): void {
    if (this.#isAll) return;
    if (prefix !== undefined && !this.#isUnder(prefix)) this.#addPrefix(prefix);
    for (const key of keys) {
      if (!this.#isUnder(key)) this.#keys.add(key);
    }
    if (this.#keys.size > MOST_KEYS || this.#prefixes.size > MOST_PREFIXES) {
      this.clear();
      this.#isAll = true;
    }
  }

  #isUnder(key: string): boolean {
    for (const prefix of this.#prefixes) if (key.startsWith(prefix)) return true;
    return false;
  }

  #addPrefix(prefix: string): void {
    for (const waiting of [this.#prefixes, this.#keys]) {
      for (const key of waiting) if (key.startsWith(prefix)) waiting.delete(key);
    }
    this.#prefixes.add(prefix);
  }

  /** Takes what to poll next: one prefix and all keys. Undefined for everything. */
  take(): ExternalPart | undefined {
    if (this.#isAll) return undefined;
    const [prefix] = this.#prefixes;
    const keys = [...this.#keys];
    if (prefix !== undefined) this.#prefixes.delete(prefix);
    this.#keys.clear();
    return { ...(prefix !== undefined && { prefix }), ...(keys.length > 0 && { keys }) };
  }

  clear(): void {
    this.#prefixes.clear();
    this.#keys.clear();
    this.#isAll = false;
  }
}
