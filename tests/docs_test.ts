// README and guide: every link leads somewhere, every snippet has the right types, and nothing is left out of the index.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../", import.meta.url));
const skip = !existsSync(join(root, "README.md")) && "the npm project has no guide";

async function pages(): Promise<string[]> {
  const guide = (await readdir(join(root, "docs"))).filter((name) => name.endsWith(".md"));
  return ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", ...guide.map((name) => `docs/${name}`)];
}

test("every link leads to a page, and to a heading of it", { skip }, async () => {
  for (const page of await pages()) {
    const text = await readFile(join(root, page), "utf8");
    for (const [, link = ""] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(link)) continue;
      const [path = "", heading] = link.split("#");
      const target = path === "" ? page : join(dirname(page), path);
      assert.ok(existsSync(join(root, target)), `${page}: ${link} leads nowhere`);
      if (heading === undefined) continue;
      const headings = [...(await readFile(join(root, target), "utf8")).matchAll(/^#+ (.*)$/gm)];
      const names = headings.map(([, title = ""]) => anchorOf(title));
      assert.ok(names.includes(heading), `${page}: ${link} leads to no heading`);
    }
  }
});

function anchorOf(title: string): string {
  return title.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-");
}

test("README is short, and llms.txt names every page of the guide", { skip }, async () => {
  const readme = await readFile(join(root, "README.md"), "utf8");
  assert.ok(readme.split("\n").length <= 200, "README.md has more than 200 lines");
  const index = await readFile(join(root, "llms.txt"), "utf8");
  for (const page of await pages()) {
    if (page === "docs/index.md" || !page.startsWith("docs/")) continue;
    assert.ok(index.includes(`(${page})`), `llms.txt lacks ${page}`);
  }
});

// What snippets leave out, as their readers have it: a source, a place for state, what handlers do.
const PRELUDE = `
declare const reports: import("@koprs/external").ObjectStorePoller;
declare const checkpoint: import("@koprs/external").CheckpointStore;
declare const store: import("@koprs/external").ObjectStore;
declare const watch: import("@koprs/external").ExternalWatch<import("@koprs/external").ObjectMeta>;
declare function download(key: string, signal: AbortSignal): Promise<void>;
declare const message: unknown;
declare const customResources: AsyncIterable<
  import("@koprs/external").ExternalEvent<{ spec: { url: string } }>
>;
declare function report(name: string, failures: number, error: Error | undefined): void;
declare function apply(source: string, type: string, item: unknown): Promise<void>;
`;

test("snippets that cannot run by themselves have the right types", {
  skip: skip || !("Deno" in globalThis) && "once, on Deno",
  timeout: 120_000,
}, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "koprs-snippets-"));
  t.after(() => rm(folder, { recursive: true }));
  const files: string[] = [];
  for (const page of await pages()) {
    const text = await readFile(join(root, page), "utf8");
    for (const { 1: code = "", index } of text.matchAll(/^```ts ignore\n(.*?)^```/gms)) {
      const line = text.slice(0, index).split("\n").length;
      const file = join(folder, `${page.replace(/\W/g, "_")}_${line}.ts`);
      await writeFile(file, `/// <reference path="./prelude.d.ts" />\n${code}\nexport {};\n`);
      files.push(file);
    }
  }
  assert.ok(files.length > 3);
  await writeFile(join(folder, "prelude.d.ts"), PRELUDE);
  await new Promise<void>((resolve, reject) =>
    execFile(
      process.execPath,
      ["check", "--quiet", "--config", join(root, "deno.json"), ...files],
      { cwd: root, env: { ...process.env, NO_COLOR: "1" } },
      (error, _, stderr) => error === null ? resolve() : reject(new Error(stderr)),
    )
  );
});
