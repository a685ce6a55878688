/**
 * Rendezvous hashing: every replica computes by itself which of them a source belongs to. When a replica joins or
 * leaves, only the sources that it gets or had move.
 */

/** A hash of 32 bits of a text, the same in every process. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5; // FNV-1a over code units: it only has to be the same for equal texts.
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  return mix(hash);
}

/** Spreads the bits, so that similar texts get unrelated hashes. */
function mix(hash: number): number {
  hash = Math.imul(hash ^ hash >>> 16, 0x85ebca6b);
  hash = Math.imul(hash ^ hash >>> 13, 0xc2b2ae35);
  return (hash ^ hash >>> 16) >>> 0;
}

/** The members that sources are shared among. */
export class Rendezvous {
  /** The members in the order of their code units, each once. */
  readonly members: readonly string[];
  readonly #hashes: readonly number[];
  /** Equal for equal sets of members, so that one comparison is enough. */
  readonly key: string;

  constructor(members: Iterable<string>) {
    this.members = [...new Set(members)].sort();
    this.key = JSON.stringify(this.members);
    this.#hashes = this.members.map(hashText);
  }

  /** The member that a source belongs to; undefined if there are no members. */
  winner(source: string): string | undefined {
    const hash = hashText(source);
    let best = -1;
    let winner: string | undefined;
    for (let i = 0; i < this.#hashes.length; i++) {
      // The second hash makes equal scores as rare as possible. If they are equal, the first member wins.
      const score = mix(hash ^ Math.imul(this.#hashes[i] as number, 0x9e3779b1));
      if (score > best) [best, winner] = [score, this.members[i]];
    }
    return winner;
  }

  /** Whether both have the same members. */
  equals(other: Rendezvous): boolean {
    return this.key === other.key;
  }
}
