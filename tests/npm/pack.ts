// Makes the npm tarball: `deno pack`, and what that leaves out of the manifest.
// deno run -A tests/npm/pack.ts [FILE]
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { config, must, root } from "./root.ts";

/** What no field of deno.json says. */
const ABOUT = {
  description: "Polls HTTP endpoints, collections, buckets and folders, and streams what changed",
  keywords: [
    ...["watch", "poll", "diff", "changes", "stream", "kubernetes", "operator"],
    ...["http", "etag", "s3", "gcs", "azure-blob", "webdav"],
  ],
  engines: { node: ">=22" },
  bin: { "koprs-external": "./cli.js" },
  // No module does anything when it is imported: a bundler may drop those that are not used.
  sideEffects: false,
};

/** Makes the npm tarball. */
export function pack(tarball: string): void {
  const folder = mkdtempSync(join(tmpdir(), "koprs-external-pack-"));
  try {
    const made = join(folder, "deno.tgz");
    // A source map holds the sources once more: three quarters of the package.
    const options = ["--allow-dirty", "--quiet", "--no-source-maps"];
    must(process.execPath, ["pack", ...options, "--output", made], root);
    must("tar", ["-xzf", made, "-C", folder], folder);
    const unpacked = join(folder, "package");
    const manifest = join(unpacked, "package.json");
    const { name, version, type, license, ...rest } = JSON.parse(readFileSync(manifest, "utf8"));
    const { description, keywords, ...about } = ABOUT;
    writeFileSync(
      manifest,
      JSON.stringify(
        { name, version, description, keywords, license, type, ...about, ...rest },
        null,
        2,
      ),
    );
    const quiet = ["--ignore-scripts", "--loglevel=error", "--json"];
    const [packed] = JSON.parse(must("npm", ["pack", ...quiet], unpacked, "pipe"));
    cpSync(join(unpacked, packed.filename), tarball);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (import.meta.main) {
  const [file = `${config.name.slice(1).replace("/", "-")}-${config.version}.tgz`] = process.argv
    .slice(2);
  pack(resolve(file));
  console.log(file);
}
