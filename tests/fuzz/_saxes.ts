// What a real parser of XML makes of a document.
import { type SaxesAttributeNS, SaxesParser, type SaxesTagNS } from "saxes";
import type { Told } from "../listing/_xml.ts";

/** An element as the parser tells of it. */
export interface Node {
  readonly uri: string;
  readonly local: string;
  readonly attributes: Readonly<Record<string, SaxesAttributeNS>>;
  readonly children: Node[];
  /** All text in it, that of its children not included. */
  text: string;
}

/** The root of a document in UTF-8. Throws if it is not well-formed. */
export function parseXml(bytes: Uint8Array): Node {
  const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  const parser = new SaxesParser({ xmlns: true });
  const stack: Node[] = [{ uri: "", local: "", attributes: {}, children: [], text: "" }];
  parser.on("error", (error) => {
    throw error;
  });
  parser.on("opentag", ({ uri, local, attributes }: SaxesTagNS) => {
    const node: Node = { uri, local, attributes, children: [], text: "" };
    stack.at(-1)?.children.push(node);
    stack.push(node);
  });
  parser.on("closetag", () => void stack.pop());
  const onText = (text: string) => {
    const top = stack.at(-1);
    if (top !== undefined) top.text += text;
  };
  parser.on("text", onText);
  parser.on("cdata", onText);
  parser.write(text).close();
  const root = stack[0]?.children[0];
  if (root === undefined) throw new Error("no root");
  return root;
}

/** The same in the form that `readXml` gives. */
export function toldOf({ uri, local, children, text }: Node): Told {
  return [uri, local, /^t/.test(local) ? text : children.map(toldOf)];
}
