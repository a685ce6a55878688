/** Names the kind of a value, for errors. */

/** What a value is, in words: "undefined", "null", "a number", "an array", "a Set". */
export function kindOf(value: unknown): string {
  if (value === undefined || value === null) return String(value);
  if (typeof value !== "object") return `a ${typeof value}`;
  const tag = Object.prototype.toString.call(value).slice("[object ".length, -1);
  return tag === "Object" || tag === "Array" ? `an ${tag.toLowerCase()}` : `a ${tag}`;
}
