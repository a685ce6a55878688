/**
 * The `Link` header of RFC 8288, parsed strictly: a value that cannot be parsed is an error, and never means "no
 * more pages".
 */

/** One link of a header. */
export interface Link {
  /** A URL reference, as it stands between the angle brackets. */
  readonly target: string;
  /** By lower-case names. If a name is repeated, the first value counts. */
  readonly parameters: ReadonlyMap<string, string>;
}

/**
 * The links of a header's value, in order. Accepts what the parser in appendix B of RFC 8288 accepts, and also
 * values in single quotes, as some servers send `rel='next'`.
 *
 * @throws {SyntaxError} If any part of the value is not a link. The message does not repeat the value.
 */
export function parseLinks(value: string): Link[] {
  const reader = new Reader(value);
  const links: Link[] = [];
  for (;;) {
    reader.take(/[\t ,]*/y);
    if (reader.done) return links;
    links.push(readLink(reader));
    reader.take(BLANKS);
    if (!reader.done && reader.peek() !== ",") throw reader.fault("a comma or a semicolon");
  }
}

/**
 * The target of the first link of relation `next` that is about the page itself, as an absolute URL; undefined if
 * there is none.
 *
 * @param value The value of a `Link` header.
 * @param page The URL of the page that has it.
 * @throws {SyntaxError} If any part of the value is not a link, or a link has no relation.
 * @throws {TypeError} If the target, or the anchor of a link, is not a URL.
 */
export function nextTarget(value: string, page: string): URL | undefined {
  let next: URL | undefined;
  for (const { target, parameters } of parseLinks(value)) {
    const relations: readonly string[] = parameters.get("rel")?.toLowerCase().match(/[^\t ]+/g) ??
      [];
    if (relations.length === 0) throw new SyntaxError("a link without a relation");
    if (next !== undefined || !relations.includes("next")) continue;
    // A link with an anchor is about the resource that the anchor names.
    const anchor = parameters.get("anchor");
    if (anchor === undefined || isSame(anchor, page)) next = new URL(target, page);
  }
  return next;
}

function isSame(anchor: string, page: string): boolean {
  const url = new URL(anchor, page);
  const own = new URL(page);
  url.hash = own.hash = "";
  return url.href === own.href;
}

const BLANKS = /[\t ]*/y;

function readLink(reader: Reader): Link {
  reader.expect("<");
  const target = reader.take(/[^<>]*/y);
  reader.expect(">");
  const parameters = new Map<string, string>();
  for (reader.take(BLANKS); reader.accept(";"); reader.take(BLANKS)) {
    reader.take(BLANKS);
    const name = reader.take(/[!#$%&'*+.^_`|~0-9A-Za-z-]+/y).toLowerCase();
    if (name === "") continue; // Nothing between two semicolons, or after the last.
    reader.take(BLANKS);
    const value = reader.accept("=") ? readValue(reader) : "";
    if (!parameters.has(name)) parameters.set(name, value);
  }
  return { target, parameters };
}

function readValue(reader: Reader): string {
  reader.take(BLANKS);
  if (reader.accept('"')) return readQuoted(reader);
  const value = reader.take(/[^;,"<>]*/y).trimEnd();
  return value.length > 1 && value.startsWith("'") && value.endsWith("'")
    ? value.slice(1, -1)
    : value;
}

/** Reads a quoted string, from after its first quote. */
function readQuoted(reader: Reader): string {
  const text = reader.takeTo('"', "\\");
  reader.expect('"');
  return text.replace(/\\([^])/g, "$1");
}

/** Reads a text from its beginning to its end. */
class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  get done(): boolean {
    return this.#at >= this.#text.length;
  }

  peek(): string {
    return this.#text.charAt(this.#at);
  }

  /** Takes what a sticky pattern matches here, perhaps nothing. */
  take(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const [found = ""] = pattern.exec(this.#text) ?? [];
    this.#at += found.length;
    return found;
  }

  /** Takes everything up to the next `end` that is not escaped, or the rest. */
  takeTo(end: string, escape: string): string {
    const start = this.#at;
    for (let at = start; at < this.#text.length; at++) {
      const character = this.#text[at];
      if (character === escape) at++;
      else if (character === end) {
        this.#at = at;
        return this.#text.slice(start, at);
      }
    }
    this.#at = this.#text.length;
    return this.#text.slice(start);
  }

  accept(character: string): boolean {
    if (this.peek() !== character) return false;
    this.#at++;
    return true;
  }

  expect(character: string): void {
    if (!this.accept(character)) throw this.fault(`'${character}'`);
  }

  fault(expected: string): SyntaxError {
    return new SyntaxError(`${expected} is missing at character ${this.#at + 1}`);
  }
}
