// What all fuzzers share: a budget of time, and random numbers that can be had again.
import process from "node:process";

/** Seconds that each fuzzer runs. */
export const SECONDS = Number(process.env.FUZZ_SECONDS ?? 2);

/** Runs a fuzzer over and over. What it throws names the seed: `FUZZ_SEED` begins with it. */
export function fuzz(run: (random: Random) => void): void {
  const given = process.env.FUZZ_SEED;
  const end = performance.now() + SECONDS * 1000;
  let seed = given === undefined ? Math.floor(Math.random() * 2 ** 32) : Number(given);
  let rounds = 0;
  do {
    try {
      run(new Random(seed));
    } catch (error) {
      throw new Error(`With FUZZ_SEED=${seed}, round ${rounds}: ${error}`, { cause: error });
    }
    rounds++;
    seed = (seed + 1) % 2 ** 32;
  } while (performance.now() < end && given === undefined);
}

/** Random numbers from a seed (mulberry32). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  /** A whole number below a limit. */
  below(limit: number): number {
    this.#state = this.#state + 0x6d2b79f5 | 0;
    let t = Math.imul(this.#state ^ this.#state >>> 15, 1 | this.#state);
    t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t;
    return ((t ^ t >>> 14) >>> 0) % limit;
  }

  /** True once in so many times. */
  oneIn(times: number): boolean {
    return this.below(times) === 0;
  }

  pick<V>(values: ArrayLike<V>): V {
    return values[this.below(values.length)] as V;
  }

  list<V>(most: number, make: (random: Random) => V): V[] {
    return Array.from({ length: this.below(most + 1) }, () => make(this));
  }

  shuffle<V>(values: readonly V[]): V[] {
    const shuffled = [...values];
    for (let i = shuffled.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [shuffled[i], shuffled[j]] = [shuffled[j] as V, shuffled[i] as V];
    }
    return shuffled;
  }
}

/** Bytes with a few of them changed, taken out, or put in, single ones and pieces that mean something; or cut off. */
export function mutate(
  random: Random,
  bytes: Uint8Array,
  pieces: readonly string[],
): Uint8Array {
  let mutated = bytes;
  for (let changes = 1 + random.below(3); changes > 0; changes--) {
    const at = random.below(mutated.length + 1);
    const removed = random.pick([0, 0, 1, 1, 2, random.below(8)]);
    const put = random.oneIn(3)
      ? Uint8Array.of(random.below(256))
      : random.oneIn(5)
      ? mutated.subarray(random.below(mutated.length + 1)).subarray(0, random.below(30))
      : random.oneIn(8)
      ? new Uint8Array()
      : new TextEncoder().encode(random.pick(pieces));
    const next = new Uint8Array(at + put.length + Math.max(0, mutated.length - at - removed));
    next.set(mutated.subarray(0, at));
    next.set(put, at);
    next.set(mutated.subarray(at + removed), at + put.length);
    mutated = next;
  }
  return random.oneIn(8) ? mutated.slice(0, random.below(mutated.length + 1)) : mutated;
}
