/** What differs between the runtimes: how `fetch` is made to trust a certificate authority. */
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import process from "node:process";

interface Runtimes {
  readonly Deno?: { createHttpClient?(options: { caCerts: string[] }): unknown };
  readonly Bun?: unknown;
}

/**
 * A `fetch` that also trusts the authority of this certificate; undefined if the runtime's `fetch` does not accept one.
 *
 * @param ca One certificate or several, in PEM.
 */
export function fetchTrusting(ca: string): typeof fetch | undefined {
  const { Deno, Bun } = globalThis as Runtimes;
  const extra = Deno?.createHttpClient !== undefined
    ? { client: Deno.createHttpClient({ caCerts: [ca] }) }
    : Bun !== undefined
    ? { tls: { ca } }
    : undefined;
  if (extra === undefined) return undefined;
  return (input, init) => globalThis.fetch(input, { ...init, ...extra } as RequestInit);
}

/** Whether the process was started so that its own `fetch` trusts all certificates of this text. */
export function isTrusted(ca: string): boolean {
  const path = variable("NODE_EXTRA_CA_CERTS");
  if (path === undefined) return false;
  try {
    const trusted = readFileSync(path, "utf8").replace(/\s+/g, "");
    return certificates(ca).every((certificate) => trusted.includes(certificate));
  } catch {
    return false; // Node has warned about that at its start.
  }
}

function certificates(pem: string): string[] {
  return pem.match(/-----BEGIN CERTIFICATE-----[^-]+/g)?.map((text) => text.replace(/\s+/g, "")) ??
    [];
}

/** An environment variable; undefined if it is empty. */
export function variable(name: string): string | undefined {
  return process.env[name] || undefined;
}

/** Reads a file synchronously. Throws if it is missing. */
export function readNow(path: string): string {
  return readFileSync(path, "utf8");
}

/** Reads a file that may have changed since the last read. */
export function read(path: string): Promise<string> {
  return readFile(path, "utf8");
}
