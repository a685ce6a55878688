/** ETags of WebDAV servers, as a listing has them and as a condition takes them. */

/** The part of a tag between its quotes. A listing may leave the quotes out. */
const OPAQUE = /^[!\x23-\x7e\x80-\xff]+$/;

/**
 * The tag that events carry, and that `If-Match` takes.
 *
 * - A tag without quotes gets them: some servers list tags without quotes, but send them with quotes elsewhere.
 * - A weak tag becomes a strong one: Apache marks a tag as weak in the first second after a write, and as strong
 *   from then on, though it is the same tag.
 * - A text that cannot be a tag stays as it is: it still tells one content from another.
 */
export function listedTag(text: string): string {
  const tag = text.replace(/^W\//, "");
  if (isTag(tag)) return tag;
  return OPAQUE.test(tag) ? `"${tag}"` : text;
}

/** Whether a tag may be sent in `If-Match`. */
export function isTag(text: string): boolean {
  return text.length >= 2 && text.startsWith('"') && text.endsWith('"') &&
    (text.length === 2 || OPAQUE.test(text.slice(1, -1)));
}

/** Whether a tag is weak, so that `If-Match` never matches it. */
export function isWeak(text: string): boolean {
  return text.startsWith("W/");
}
