/**
 * Reads the answer to a PROPFIND: a `multistatus` document (RFC 4918, section 14.16).
 *
 * @module
 */
import { textBytes } from "../_bytes/exact_text.ts";
import { XmlReader } from "./xml.ts";
import { isBlank } from "./xml_characters.ts";

/** What a server says about one resource. */
export interface DavResource {
  /** As received, with references decoded. */
  readonly href: string;
  /** The status of the resource as a whole, if the server gives one instead of properties. */
  readonly status?: number;
  readonly folder: boolean;
  /** Properties that came with a success, trimmed. Absent if the server has none, or only an empty one. */
  readonly length?: string;
  readonly modified?: string;
  readonly etag?: string;
}

interface Properties {
  folder?: boolean;
  length?: string;
  modified?: string;
  etag?: string;
}

const DAV = "DAV:";

const MULTISTATUS = textBytes("multistatus");
const RESPONSE = textBytes("response");
const HREF = textBytes("href");
const STATUS = textBytes("status");
const PROPSTAT = textBytes("propstat");
const PROP = textBytes("prop");
const TYPE = textBytes("resourcetype");
const COLLECTION = textBytes("collection");
const LENGTH = textBytes("getcontentlength");
const MODIFIED = textBytes("getlastmodified");
const ETAG = textBytes("getetag");

/** Reads a whole multistatus document. Throws a `SyntaxError` if the bytes are not one. They are modified. */
export function parseMultistatus(bytes: Uint8Array): DavResource[] {
  return new MultistatusReader(bytes).read();
}

class MultistatusReader {
  readonly #xml: XmlReader;
  readonly #resources: DavResource[] = [];

  constructor(bytes: Uint8Array) {
    this.#xml = new XmlReader(bytes);
  }

  read(): DavResource[] {
    const xml = this.#xml;
    xml.root();
    if (!this.#is(MULTISTATUS)) throw new SyntaxError("the document is not a DAV multistatus");
    while (xml.child()) {
      if (this.#is(RESPONSE)) this.#response();
      else xml.skip();
    }
    xml.finish();
    return this.#resources;
  }

  #response(): void {
    const xml = this.#xml;
    const hrefs: string[] = [];
    const found: Properties = {};
    let status: number | undefined;
    let described = false;
    while (xml.child()) {
      if (this.#is(HREF)) {
        hrefs.push(this.#text());
      } else if (this.#is(STATUS)) {
        status = statusOf(this.#text());
      } else if (this.#is(PROPSTAT)) {
        described = true;
        Object.assign(found, this.#propstat());
      } else {
        xml.skip();
      }
    }
    if (hrefs.length === 0) throw new SyntaxError("a response without a href");
    if (status === undefined && !described) {
      throw new SyntaxError("a response without a status and without properties");
    }
    const { folder = false, ...properties } = found;
    for (const href of hrefs) {
      this.#resources.push({
        href,
        folder,
        ...properties,
        ...(status !== undefined && { status }),
      });
    }
  }

  /** The properties of a propstat; none if its status is a failure. */
  #propstat(): Properties {
    const xml = this.#xml;
    const properties: Properties = {};
    let status: number | undefined;
    while (xml.child()) {
      if (this.#is(STATUS)) status = statusOf(this.#text());
      else if (this.#is(PROP)) this.#prop(properties);
      else xml.skip();
    }
    if (status === undefined) throw new SyntaxError("a propstat without a status");
    return status >= 200 && status < 300 ? properties : {};
  }

  #prop(properties: Properties): void {
    const xml = this.#xml;
    while (xml.child()) {
      if (this.#is(TYPE)) {
        properties.folder = false;
        while (xml.child()) {
          if (this.#is(COLLECTION)) properties.folder = true;
          xml.skip();
        }
      } else if (this.#is(LENGTH)) {
        keep(properties, "length", this.#text());
      } else if (this.#is(MODIFIED)) {
        keep(properties, "modified", this.#text());
      } else if (this.#is(ETAG)) {
        keep(properties, "etag", this.#text());
      } else {
        xml.skip();
      }
    }
  }

  /** Whether the current element has this name in the namespace of DAV. */
  #is(name: Uint8Array): boolean {
    return this.#xml.isNamed(name) && this.#xml.namespace() === DAV;
  }

  #text(): string {
    return trim(this.#xml.string());
  }
}

/** Keeps a property that is not empty. Throws if a resource has it twice with different values. */
function keep(properties: Properties, name: "length" | "modified" | "etag", value: string): void {
  if (value === "") return;
  if (properties[name] !== undefined && properties[name] !== value) {
    throw new SyntaxError("a property with two values");
  }
  properties[name] = value;
}

function statusOf(text: string): number {
  const code = /^HTTP\/\d(?:\.\d)? +([1-5]\d\d)(?: |$)/.exec(text)?.[1];
  if (code === undefined) throw new SyntaxError("an invalid HTTP status");
  return Number(code);
}

/** Trims only the blanks of XML: a name may begin or end with others. */
function trim(text: string): string {
  let start = 0, end = text.length;
  while (start < end && isBlank(text.charCodeAt(start))) start++;
  while (start < end && isBlank(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}
