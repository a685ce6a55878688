/** Which namespaces the prefixes of an XML document stand for, at the current place. */
import { isAscii } from "./utf8.ts";

/** More than any answer declares around one element. A bound keeps a lookup cheap, whatever is sent. */
const MOST = 100;

const XML = "http://www.w3.org/XML/1998/namespace";
const XMLNS = "http://www.w3.org/2000/xmlns/";

/** A prefix, by its offsets in the document, and its namespace. Names without a prefix have an empty one. */
interface Binding {
  readonly start: number;
  readonly end: number;
  readonly uri: string;
  /** The depth of the element that declares it. */
  readonly depth: number;
}

export class XmlNamespaces {
  readonly #bytes: Uint8Array;
  /** The newest is the last. */
  readonly #bindings: Binding[] = [];
  /** The depth of the innermost element that declares any; 0 for none. */
  depth = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /**
   * Records a declaration.
   *
   * @returns What is wrong with it, if anything is.
   */
  declare(start: number, end: number, uri: string, depth: number): string | undefined {
    const isXml = isAscii(this.#bytes, start, end, "xml");
    if (isAscii(this.#bytes, start, end, "xmlns") || uri === XMLNS || isXml !== (uri === XML)) {
      return "a namespace that is reserved";
    }
    if (end > start && uri === "") return "a prefix without a namespace";
    if (uri.trim() !== uri) return "a namespace with blanks around it";
    if (this.#bindings.length === MOST) return `more than ${MOST} namespaces`;
    this.#bindings.push({ start, end, uri, depth });
    this.depth = depth;
    return undefined;
  }

  /** Forgets the declarations of the innermost element that has any, at its end. */
  release(): void {
    while (this.depth > 0 && this.#bindings.at(-1)?.depth === this.depth) this.#bindings.pop();
    this.depth = this.#bindings.at(-1)?.depth ?? 0;
  }

  /** The namespace of a prefix: "" if the empty prefix is not declared, undefined if any other is not. */
  find(start: number, end: number): string | undefined {
    const bytes = this.#bytes;
    for (let i = this.#bindings.length - 1; i >= 0; i--) {
      const binding = this.#bindings[i] as Binding;
      if (binding.end - binding.start !== end - start) continue;
      let at = start;
      for (let other = binding.start; at < end && bytes[at] === bytes[other]; at++) other++;
      if (at === end) return binding.uri;
    }
    if (start === end) return "";
    return isAscii(bytes, start, end, "xml") ? XML : undefined;
  }
}
