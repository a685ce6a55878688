// Whole documents read with the XML reader, for tests and fuzzers.
import { readText } from "../../_bytes/exact_text.ts";
import { XmlReader } from "../../_listing/xml.ts";

/** What a document says: of each element its namespace, its local name, and what is in it. */
export type Told = readonly [namespace: string, name: string, content: string | readonly Told[]];

/** Elements of this name hold text, all others elements. */
const TEXTS = /^t/;

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Reads a document, with `rubbish` behind it as in a buffer that is used again. */
export function readXml(xml: string | Uint8Array, rubbish = ""): Told {
  const document = typeof xml === "string" ? bytesOf(xml) : xml;
  const behind = bytesOf(rubbish);
  const bytes = new Uint8Array(document.length + behind.length);
  bytes.set(document);
  bytes.set(behind, document.length);
  const reader = new XmlReader(bytes, document.length);
  reader.root();
  const told = readElement(reader, bytes);
  reader.finish();
  return told;
}

function readElement(reader: XmlReader, bytes: Uint8Array): Told {
  const namespace = reader.namespace();
  const name = readText(bytes, reader.localStart, reader.nameEnd);
  if (TEXTS.test(name)) return [namespace, name, reader.string()];
  const content: Told[] = [];
  while (reader.child()) content.push(readElement(reader, bytes));
  return [namespace, name, content];
}
