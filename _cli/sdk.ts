/** The SDKs of the clouds. One is loaded when a target needs it; none is a dependency of this package. */
import { createRequire } from "node:module";
import { join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { UsageError } from "./usage.ts";

const SDKS = {
  s3: { name: "@aws-sdk/client-s3", range: "^3" },
  gcs: { name: "@google-cloud/storage", range: "^8" },
  azure: { name: "@azure/storage-blob", range: "^12" },
} as const;

/**
 * Loads an SDK: on Deno from npm, elsewhere the one that is installed. If none is, throws a
 * {@linkcode UsageError} that says how to install it.
 */
export async function loadSdk<Sdk>(cloud: keyof typeof SDKS): Promise<Sdk> {
  const { name, range } = SDKS[cloud];
  // The specifiers are computed: with literal ones, every user of the package would download all
  // three.
  const specifier = process.versions.deno === undefined ? name : `npm:${name}@${range}`;
  try {
    return await import(specifier);
  } catch (error) {
    if (specifier !== name || !isMissing(error)) throw error;
  }
  const installed = installedHere(name);
  if (installed !== undefined) return await import(installed);
  const installer = process.versions.bun === undefined ? "npm install" : "bun add";
  throw new UsageError(
    `Cannot load ${name}, which is not installed: ${installer} ${name}`,
  );
}

/** The URL of a package installed in the current folder. With `npx` or `bunx`, this package itself is elsewhere. */
function installedHere(name: string): string | undefined {
  try {
    const path = createRequire(join(process.cwd(), "package.json")).resolve(
      name,
    );
    return pathToFileURL(path).href;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  const { code } = (error ?? {}) as { code?: unknown };
  return code === "ERR_MODULE_NOT_FOUND" || code === "MODULE_NOT_FOUND";
}
