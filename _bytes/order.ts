/** The order of keys, the same everywhere: by their bytes in UTF-8, which is also the order of their code points. */

/**
 * Negative, 0 or positive, as the first key sorts before, equal to or after the second. JavaScript's `<` compares
 * UTF-16 code units, which gives another order above U+FFFF. A lone surrogate counts as its own code point, as in
 * {@linkcode textBytes}.
 */
export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  let i = 0;
  while (i < length && a.charCodeAt(i) === b.charCodeAt(i)) i++;
  if (i === length) return a.length - b.length;
  // After a high surrogate that both keys have, one may have the other half of the pair, and the other not.
  const before = i > 0 && isHighSurrogate(a.charCodeAt(i - 1))
    ? pointAt(a, i - 1) - pointAt(b, i - 1)
    : 0;
  return before !== 0 ? before : pointAt(a, i) - pointAt(b, i);
}

function pointAt(text: string, at: number): number {
  return text.codePointAt(at) as number;
}

function isHighSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit < 0xdc00;
}
