/**
 * Rendezvous hashing: every replica works out by itself which of them a source belongs to. When one joins or leaves, only
 * the sources that it gains or had move.
 */

/** A hash of 32 bits of a text, the same in every process. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5; // FNV-1a, on code units: all that matters is that equal texts are equal.
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  return mix(hash);
}

/** Spreads the bits, so that texts that differ little share nothing. */
function mix(hash: number): number {
  hash = Math.imul(hash ^ hash >>> 16, 0x85ebca6b);
  hash = Math.imul(hash ^ hash >>> 13, 0xc2b2ae35);
  return (hash ^ hash >>> 16) >>> 0;
}

/** The members that sources are shared among. */
export class Rendezvous {
  /** In the order of their code units, each once. */
  readonly members: readonly string[];
  readonly #hashes: readonly number[];
  /** Tells sets of members apart at the cost of one comparison. */
  readonly key: string;

  constructor(members: Iterable<string>) {
    this.members = [...new Set(members)].sort();
    this.key = JSON.stringify(this.members);
    this.#hashes = this.members.map(hashText);
  }

  /** The member that a source belongs to; undefined where there is none. */
  winner(source: string): string | undefined {
    const hash = hashText(source);
    let best = -1;
    let winner: string | undefined;
    for (let i = 0; i < this.#hashes.length; i++) {
      // The second hash decides between equal scores as rarely as it can: the first member wins then.
      const score = mix(hash ^ Math.imul(this.#hashes[i] as number, 0x9e3779b1));
      if (score > best) [best, winner] = [score, this.members[i]];
    }
    return winner;
  }

  /** Whether the same members are meant. */
  equals(other: Rendezvous): boolean {
    return this.key === other.key;
  }
}
