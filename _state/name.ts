/** From the name of a source to the name of its checkpoint. */
import { textBytes } from "../_bytes/exact_text.ts";
import type { Head } from "./owner_line.ts";

/**
 * A name that any file system and store accepts: readable, and different for different keys, even
 * where upper and lower case are the same.
 */
export async function checkpointName(key: string): Promise<string> {
  // No dot or hyphen in front: such files are hidden, or taken for options.
  const readable = key.replace(/[^A-Za-z0-9.-]+/g, "_").replace(/^[.-]+/, "_").slice(0, 80);
  return `${readable}-${await checkpointHash(key)}.checkpoint`;
}

/** 32 hexadecimal digits, different for different keys. */
export async function checkpointHash(key: string): Promise<string> {
  // Not with TextEncoder, whose bytes are the same for all lone surrogates.
  const digest = await crypto.subtle.digest("SHA-256", new Uint8Array(textBytes(key)));
  const hash = Array.from(
    new Uint8Array(digest, 0, 16),
    (byte) => byte.toString(16).padStart(2, "0"),
  );
  return hash.join("");
}

/**
 * The key whose checkpoint has this name. Undefined if there is no state, if the key does not
 * belong to this name, or if the key is not known: release 0.1 did not store it, and a name
 * contains only some keys unchanged.
 */
export async function keyOfName(name: string, head: Head | undefined): Promise<string | undefined> {
  const key = head?.key ?? name.replace(/-[0-9a-f]{32}\.checkpoint$/, "");
  return head?.empty !== true && await checkpointName(key) === name ? key : undefined;
}
