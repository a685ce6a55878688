/** From the name of a source to the name of its checkpoint. */

/** A name any file system and store takes: readable, and different for different keys. */
export async function checkpointName(key: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(key));
  const hash = Array.from(
    new Uint8Array(digest, 0, 8),
    (byte) => byte.toString(16).padStart(2, "0"),
  );
  const readable = key.replace(/[^A-Za-z0-9.-]+/g, "_").slice(0, 80);
  return `${readable}-${hash.join("")}.checkpoint`;
}
