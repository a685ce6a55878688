/** The errors of a document. */

/** The document ends too early. */
export function cutOff(): SyntaxError {
  return new SyntaxError("cut off");
}

/** The document is not well-formed. */
export function broken(what: string, at: number): SyntaxError {
  return new SyntaxError(`broken XML: ${what}, at byte ${at}`);
}
