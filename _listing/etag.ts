/** ETags of WebDAV servers, as a listing has them and as a condition takes them. */

/** What a tag may hold between its quotes, and a listing may give without them. */
const OPAQUE = /^[!\x23-\x7e\x80-\xff]+$/;

/**
 * The tag that events carry, and that `If-Match` takes.
 *
 * - One without quotes gets them: some servers list tags bare, and send them in quotes.
 * - One that is weak is told as strong: Apache calls a tag weak in the first second after a write, and strong from then
 *   on, which is the same tag.
 * - What can be no tag stays as it is: it tells one content from another all the same.
 */
export function listedTag(text: string): string {
  const tag = text.replace(/^W\//, "");
  if (isTag(tag)) return tag;
  return OPAQUE.test(tag) ? `"${tag}"` : text;
}

/** Whether a tag may stand in `If-Match`. */
export function isTag(text: string): boolean {
  return text.length >= 2 && text.startsWith('"') && text.endsWith('"') &&
    (text.length === 2 || OPAQUE.test(text.slice(1, -1)));
}

/** Whether a tag is one that `If-Match` never matches. */
export function isWeak(text: string): boolean {
  return text.startsWith("W/");
}
