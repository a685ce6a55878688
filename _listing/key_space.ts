/**
 * Guesses where a range of unknown keys may be cut in two.
 *
 * Keys are read as numbers. Their digits are the characters that are likely at each place: those seen there, and
 * others of the same kind until a search for them found nothing. The middle between two keys is half-way between
 * two numbers. A wrong guess costs one request, and improves later guesses.
 */

import { compareKeys } from "../_bytes/order.ts";

const LAST_CODE_POINT = 0x10ffff;
// Sorts after every other character: the end of "all keys with this prefix".
const LAST = String.fromCodePoint(LAST_CODE_POINT);

const DIGITS = "0123456789";
const HEX_LETTERS = "abcdef";
const LOWER = "abcdefghijklmnopqrstuvwxyz";
const UPPER = LOWER.toUpperCase();
// A few characters from all over Unicode: where one is beyond ASCII, others may be of any script.
const SCRIPTS =
  "\u00e0\u03b1\u0430\u05d0\u0905\u3042\u4e00\u6000\u7000\u8000\u9000\uac00\uc800\u{1f300}";

// After so many keys a place is expected to have no letters but those seen: words, not hashes.
const ENOUGH_SEEN = 12;
// So many places after the common prefix are looked at: enough for any guess, few enough for the precision of a
// float.
const DEPTH = 9;
// In longer names the places after this one count as the same place: guesses are poor there anyway.
const MAX_NAME = 1024;

/** What is known of one place. */
interface Place {
  /** How many keys might have had any character here. */
  samples: number;
  readonly seen: Set<string>;
  /** Characters that a search did not find, after some prefix. */
  readonly missed: Set<string>;
  /** The likely characters, in order; undefined after something was learned. */
  alphabet: readonly string[] | undefined;
}

/** A key after all others with this prefix, except for some that nobody uses. */
export function endOfPrefix(prefix: string): string {
  return prefix + LAST;
}

/** What has been learned of the keys so far. */
export class KeySpace {
  readonly #places: Map<number, Place> = new Map();
  #last: readonly string[] = [];

  /** Learns from a key. */
  see(key: string): void {
    const chars = [...key];
    // The beginning that it shares with the last key is nothing new, and the character after that is no random
    // sample: in a listing it is the next one.
    const shared = sharedLength(chars, this.#last);
    this.#last = chars;
    const walk = new Walk();
    chars.forEach((char, i) => {
      const place = this.#placeOf(walk);
      if (i > shared) place.samples++;
      if (!place.seen.has(char) || place.samples === ENOUGH_SEEN) place.alphabet = undefined;
      // No request can name half of a surrogate pair.
      if (char.isWellFormed()) place.seen.add(char);
      walk.go(char);
    });
  }

  /** Learns that there are no keys after a cut, up to another one. */
  miss(cut: string, until: string): void {
    const [prefix, b] = [[...cut], [...until]];
    let from = prefix.pop();
    const inclusive = from !== LAST;
    if (!inclusive) from = prefix.pop(); // Nothing after "ab…": so there is no "ac…".
    if (from === undefined) return;
    const to = sharedLength(prefix, b) === prefix.length ? b[prefix.length] ?? LAST : LAST;
    const place = this.#placeOf(new Walk(prefix));
    for (const char of alphabetOf(place)) {
      const order = compareKeys(char, from);
      if ((order > 0 || (order === 0 && inclusive)) && compareKeys(char, to) < 0) {
        place.missed.add(char);
      }
    }
    place.alphabet = undefined;
  }

  /**
   * A well-formed key between two others, about half-way as far as can be guessed; undefined if there is no room.
   *
   * @param upper A key, or what {@linkcode endOfPrefix} made.
   */
  middle(lower: string, upper: string): string | undefined {
    const [a, b] = [[...lower], [...upper]];
    const prefix = a.slice(0, sharedLength(a, b));
    let rest = (this.#position(a, prefix) + this.#position(b, prefix)) / 2;
    let middle = prefix.join("");
    if (!middle.isWellFormed()) return undefined;
    const walk = new Walk(prefix);
    for (let depth = 0; depth < DEPTH;) {
      const place = this.#placeOf(walk);
      const alphabet = alphabetOf(place);
      let char = onlyOneOf(place);
      if (char === undefined) {
        depth++;
        rest *= alphabet.length + 1;
        const rank = Math.max(1, Math.floor(rest)); // 0 is the end of a key.
        rest = Math.max(0, rest - rank);
        char = alphabet[rank - 1] ?? LAST;
      }
      middle += char;
      if (compareKeys(lower, middle) < 0 && compareKeys(middle, upper) < 0) return middle;
      walk.go(char);
    }
    return undefined;
  }

  /** How far a key is on the way from `lower` to `upper`, from 0 to 1. */
  share(lower: string, key: string, upper: string): number {
    const [a, b] = [[...lower], [...upper]];
    const prefix = a.slice(0, sharedLength(a, b));
    const from = this.#position(a, prefix);
    const width = this.#position(b, prefix) - from;
    const share = width > 0 ? (this.#position([...key], prefix) - from) / width : 1;
    return Math.min(Math.max(share, 0), 1); // A sum of floats may be slightly beyond.
  }

  /** The position of a key among those with a prefix, from 0 to 1. */
  #position(key: readonly string[], prefix: readonly string[]): number {
    const walk = new Walk(prefix);
    let value = 0;
    let unit = 1;
    for (let i = prefix.length, depth = 0; i < key.length && depth < DEPTH; i++) {
      const char = key[i] as string;
      const place = this.#placeOf(walk);
      if (char !== onlyOneOf(place)) {
        depth++;
        const alphabet = alphabetOf(place);
        const index = alphabet.findLastIndex((known) => compareKeys(known, char) <= 0);
        unit /= alphabet.length + 1;
        value += (index + 1) * unit; // 0 is the end of a key.
        // An unlikely character is placed after all keys that have the likely one before it.
        if (alphabet[index] !== char) return value + unit;
      }
      walk.go(char);
    }
    return value;
  }

  #placeOf({ place: at }: Walk): Place {
    let place = this.#places.get(at);
    if (place === undefined) {
      place = { samples: 0, seen: new Set(), missed: new Set(), alphabet: undefined };
      this.#places.set(at, place);
    }
    return place;
  }
}

function alphabetOf(place: Place): readonly string[] {
  return place.alphabet ??= likely(place);
}

/** The characters that were seen, and others of the same kind that no search has ruled out. */
function likely({ samples, seen, missed }: Place): readonly string[] {
  const chars = seen.size > 0 ? [...seen] : [...DIGITS];
  const kinds = [DIGITS];
  if (!chars.some((char) => LOWER.includes(char) && !HEX_LETTERS.includes(char))) {
    kinds.push(HEX_LETTERS);
  }
  if (samples < ENOUGH_SEEN) kinds.push(LOWER, UPPER, SCRIPTS);
  const alike = chars.flatMap((char) => {
    const kind = kinds.find((kind) => kind.includes(char) || (kind === SCRIPTS && char > "\x7f"));
    return [...kind ?? ""].filter((char) => !missed.has(char));
  });
  return [...new Set([...chars, ...alike])].sort(compareKeys);
}

/** The character that all keys have at a place, such as in the middle of a word. It does not affect their order. */
function onlyOneOf(place: Place): string | undefined {
  const alphabet = alphabetOf(place);
  return place.samples >= ENOUGH_SEEN && alphabet.length === 1 ? alphabet[0] : undefined;
}

/** Tells the places of a key apart: by folder level, place within the name, and the character before. */
class Walk {
  place = 0;
  #level = 0;
  #offset = 0;

  constructor(start: Iterable<string> = "") {
    for (const char of start) this.go(char);
  }

  go(char: string): void {
    this.#offset = Math.min(this.#offset + 1, MAX_NAME - 1);
    if (char === "/") {
      this.#level++;
      this.#offset = 0;
    }
    const before = char.codePointAt(0) ?? 0;
    this.place = (this.#level * MAX_NAME + this.#offset) * (LAST_CODE_POINT + 1) + before;
  }
}

/** How many characters two keys share at their beginning. */
export function sharedLength(a: readonly string[], b: readonly string[]): number {
  let i = 0;
  while (i < a.length && a[i] === b[i]) i++;
  return i;
}
