/**
 * Reads the answer to a PROPFIND: a `multistatus` document (RFC 4918, section 14.16).
 *
 * A small strict reader of namespaced XML: what is not well-formed, or is cut off, is an error. Document
 * types are refused, so there are no entities but XML's own five.
 */

/** What a server says of one resource. */
export interface DavResource {
  /** As received, entities undone. */
  readonly href: string;
  /** Of the resource as a whole, where the server gives one in place of properties. */
  readonly status?: number;
  readonly folder: boolean;
  /** Properties with a success, trimmed. Absent where the server has none, or none that is not empty. */
  readonly length?: string;
  readonly modified?: string;
  readonly etag?: string;
}

const MAX_DEPTH = 100;
const DAV = "DAV:";

// Names as loose as they may be, the rest strict: a server's odd name is not ours to judge.
const NAME = /[^\s<>\/=&"'!?]+/y;
const ATTRIBUTE = /\s+([^\s<>\/=&"']+)\s*=\s*(?:"([^"<]*)"|'([^'<]*)')/y;
const TAG_END = /\s*(\/?)>/y;
const CLOSE_TAG = /<\/([^\s<>\/=&"'!?]+)\s*>/y;
const REFERENCE = /&(?:#(\d{1,7})|#x([\da-fA-F]{1,6})|(lt|gt|amp|quot|apos));/y;
const ENTITIES: Readonly<Record<string, string>> = {
  lt: "<",
  gt: ">",
  amp: "&",
  quot: '"',
  apos: "'",
};

interface Element {
  readonly name: string;
  /** The local names of the DAV elements down to this one, joined by slashes; "?" for others. */
  readonly path: string;
  /** Prefixes that this element binds, and those of all around it. */
  readonly namespaces: ReadonlyMap<string, string>;
}

interface Properties {
  folder?: boolean;
  length?: string;
  modified?: string;
  etag?: string;
}

/** Throws a `SyntaxError` if the bytes are no whole multistatus document in UTF-8. */
export function parseMultistatus(bytes: Uint8Array): DavResource[] {
  const collector = new Collector();
  scanXml(decode(bytes), collector);
  return collector.finish();
}

/** Makes resources of the elements as they close. */
class Collector {
  #text = "";
  #resources: DavResource[] = [];
  #hrefs: string[] = [];
  #status: number | undefined;
  #found: Properties = {};
  #described = false;
  #propStatus: number | undefined;
  #properties: Properties = {};
  #root = false;

  open(path: string): void {
    this.#text = "";
    switch (path) {
      case "multistatus":
        this.#root = true;
        break;
      case "multistatus/response":
        this.#hrefs = [];
        this.#status = undefined;
        this.#found = {};
        this.#described = false;
        break;
      case "multistatus/response/propstat":
        this.#propStatus = undefined;
        this.#properties = {};
        break;
      case "multistatus/response/propstat/prop/resourcetype":
        this.#properties.folder = false;
        break;
      case "multistatus/response/propstat/prop/resourcetype/collection":
        this.#properties.folder = true;
        break;
    }
  }

  text(text: string): void {
    this.#text += text;
  }

  close(path: string): void {
    const text = trim(this.#text);
    this.#text = "";
    switch (path) {
      case "multistatus/response/href":
        this.#hrefs.push(text);
        break;
      case "multistatus/response/status":
        this.#status = statusOf(text);
        break;
      case "multistatus/response/propstat/status":
        this.#propStatus = statusOf(text);
        break;
      case "multistatus/response/propstat/prop/getcontentlength":
        if (text !== "") this.#properties.length = text;
        break;
      case "multistatus/response/propstat/prop/getlastmodified":
        if (text !== "") this.#properties.modified = text;
        break;
      case "multistatus/response/propstat/prop/getetag":
        if (text !== "") this.#properties.etag = text;
        break;
      case "multistatus/response/propstat":
        this.#endPropstat();
        break;
      case "multistatus/response":
        this.#endResponse();
        break;
    }
  }

  finish(): DavResource[] {
    if (!this.#root) throw new SyntaxError("the document is no DAV multistatus");
    return this.#resources;
  }

  #endPropstat(): void {
    if (this.#propStatus === undefined) throw new SyntaxError("a propstat without a status");
    this.#described = true;
    if (this.#propStatus >= 200 && this.#propStatus < 300) {
      Object.assign(this.#found, this.#properties);
    }
  }

  #endResponse(): void {
    const status = this.#status;
    const { folder = false, ...properties } = this.#found;
    if (this.#hrefs.length === 0) throw new SyntaxError("a response without a href");
    if (status === undefined && !this.#described) {
      throw new SyntaxError("a response without a status and without properties");
    }
    for (const href of this.#hrefs) {
      this.#resources.push({
        href,
        folder,
        ...properties,
        ...(status !== undefined && { status }),
      });
    }
  }
}

/** Tells the collector of every element and text of a well-formed document. */
function scanXml(xml: string, collector: Collector): void {
  const stack: Element[] = [];
  let rooted = false;
  let at = xml.charCodeAt(0) === 0xfeff ? 1 : 0;
  while (at < xml.length) {
    if (xml[at] !== "<") {
      const end = endOf(xml.indexOf("<", at), xml.length);
      const text = xml.slice(at, end);
      if (stack.length > 0) collector.text(unescape(text));
      else if (trim(text) !== "") throw new SyntaxError("text outside of the document's element");
      at = end;
    } else if (xml.startsWith("<!--", at)) {
      at = after(xml, "-->", at + 4, "a comment");
    } else if (xml.startsWith("<![CDATA[", at) && stack.length > 0) {
      const end = after(xml, "]]>", at + 9, "a CDATA section");
      collector.text(xml.slice(at + 9, end - 3));
      at = end;
    } else if (xml.startsWith("<?", at)) {
      at = after(xml, "?>", at + 2, "a processing instruction");
    } else if (xml.startsWith("<!", at)) {
      throw new SyntaxError("a document type, which is not read");
    } else if (xml.startsWith("</", at)) {
      const element = stack.pop();
      CLOSE_TAG.lastIndex = at;
      const name = CLOSE_TAG.exec(xml)?.[1];
      if (name === undefined || name !== element?.name) {
        throw new SyntaxError(`an end tag where </${element?.name ?? "?"}> is due`);
      }
      collector.close(element.path);
      at = CLOSE_TAG.lastIndex;
    } else {
      if (stack.length === 0 && rooted) throw new SyntaxError("a second element at the top");
      if (stack.length >= MAX_DEPTH) throw new SyntaxError(`more than ${MAX_DEPTH} levels`);
      rooted = true;
      const tag = openTag(xml, at, stack.at(-1));
      collector.open(tag.element.path);
      if (tag.empty) collector.close(tag.element.path);
      else stack.push(tag.element);
      at = tag.end;
    }
  }
  if (stack.length > 0) throw new SyntaxError("the document is cut off");
  if (!rooted) throw new SyntaxError("the document is empty");
}

function openTag(xml: string, at: number, parent: Element | undefined) {
  NAME.lastIndex = at + 1;
  const name = NAME.exec(xml)?.[0];
  if (name === undefined) throw new SyntaxError("a '<' that begins no tag");
  let end = NAME.lastIndex;
  let namespaces = parent?.namespaces ?? new Map<string, string>();
  const seen = new Set<string>();
  for (;;) {
    ATTRIBUTE.lastIndex = end;
    const [, attribute, double, single] = ATTRIBUTE.exec(xml) ?? [];
    if (attribute === undefined) break;
    end = ATTRIBUTE.lastIndex;
    if (seen.has(attribute)) throw new SyntaxError(`the attribute ${attribute} twice`);
    seen.add(attribute);
    const value = unescape(double ?? single ?? "");
    const prefix = attribute === "xmlns" ? "" : /^xmlns:(.+)$/.exec(attribute)?.[1];
    if (prefix !== undefined) namespaces = new Map(namespaces).set(prefix, value);
  }
  TAG_END.lastIndex = end;
  const tagEnd = TAG_END.exec(xml);
  if (tagEnd === null) throw new SyntaxError("a tag that is cut off or malformed");
  const colon = name.indexOf(":");
  const namespace = namespaces.get(name.slice(0, Math.max(colon, 0)));
  if (namespace === undefined && colon >= 0) {
    throw new SyntaxError(`the prefix of <${name}> is bound to no namespace`);
  }
  const local = namespace === DAV ? name.slice(colon + 1) : "?";
  const path = parent === undefined ? local : `${parent.path}/${local}`;
  const element: Element = { name, path, namespaces };
  return { element, empty: tagEnd[1] === "/", end: TAG_END.lastIndex };
}

function after(xml: string, mark: string, from: number, what: string): number {
  const at = xml.indexOf(mark, from);
  if (at < 0) throw new SyntaxError(`${what} that does not end`);
  return at + mark.length;
}

function endOf(found: number, length: number): number {
  return found < 0 ? length : found;
}

function unescape(text: string): string {
  let at = text.indexOf("&");
  if (at < 0) return text;
  let whole = text.slice(0, at);
  while (at < text.length) {
    REFERENCE.lastIndex = at;
    const [, decimal, hex, name] = REFERENCE.exec(text) ?? [];
    if (name !== undefined) whole += ENTITIES[name];
    else whole += character(decimal === undefined ? parseInt(hex ?? "", 16) : Number(decimal));
    const next = endOf(text.indexOf("&", REFERENCE.lastIndex), text.length);
    whole += text.slice(REFERENCE.lastIndex, next);
    at = next;
  }
  return whole;
}

function character(point: number): string {
  const allowed = point === 9 || point === 10 || point === 13 ||
    point >= 0x20 && point <= 0xd7ff || point >= 0xe000 && point <= 0x10ffff;
  if (!allowed) throw new SyntaxError("a '&' that begins no reference to a character");
  return String.fromCodePoint(point);
}

function statusOf(text: string): number {
  const code = /^HTTP\/\d(?:\.\d)? +([1-5]\d\d)(?: |$)/.exec(text)?.[1];
  if (code === undefined) throw new SyntaxError("a status that is none of HTTP");
  return Number(code);
}

// XML's blanks only: a name may begin or end with another.
function trim(text: string): string {
  return text.replace(/^[ \t\r\n]+|[ \t\r\n]+$/g, "");
}

function decode(bytes: Uint8Array): string {
  let xml: string;
  try {
    xml = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new SyntaxError("the document is not UTF-8");
  }
  const declared = /^\ufeff?<\?xml\s[^>]*?encoding\s*=\s*["']([^"']*)/.exec(xml)?.[1];
  if (declared !== undefined && !/^(utf-?8|us-ascii)$/i.test(declared)) {
    throw new SyntaxError("the document is declared in another encoding than UTF-8");
  }
  return xml;
}
