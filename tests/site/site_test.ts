// The guide in a real browser: every page at two widths, every link, and the search.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readdir } from "node:fs/promises";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { browserTools, buildSite, SCREENSHOTS } from "./_site.ts";

interface Seen {
  readonly views: readonly {
    readonly name: string;
    readonly width: number;
    readonly status: number;
    readonly needed: number;
    readonly bytes: number;
  }[];
  readonly links: readonly string[];
  readonly results: readonly string[];
  readonly errors: readonly string[];
}

const docs = fileURLToPath(new URL("../../docs/", import.meta.url));
const browse = fileURLToPath(new URL("_browse.mjs", import.meta.url));
const widths = [1280, 390];

test("the guide in a browser: pages at two widths, links, search", {
  timeout: 180_000,
}, async (t) => {
  const tools = await browserTools();
  if ("missing" in tools) return t.skip(tools.missing);
  const names = (await readdir(docs)).filter((name) => name.endsWith(".md"))
    .map((name) => name.replace(/\.md$/, ".html"));
  assert.ok(names.length > 5);
  const site = await buildSite(tools.generator);
  try {
    const { url } = site;
    const order = JSON.stringify({ ...tools, url, names, widths, screenshots: SCREENSHOTS });
    const { stdout } = await promisify(execFile)("node", [browse, order]);
    const { views, links, results, errors }: Seen = JSON.parse(stdout);

    assert.equal(views.length, names.length * widths.length);
    for (const { name, width, status, needed, bytes } of views) {
      assert.equal(status, 200, name);
      assert.ok(needed <= width, `${name} needs ${needed} of ${width} pixels`);
      assert.ok(bytes > 10_000, `${name} is empty at ${width}`);
    }
    const inside = links.filter((link) => link.startsWith(url));
    assert.ok(inside.length > names.length, "the pages are linked with each other");
    for (const link of inside) await checkLink(link);
    assert.ok(results.some((link) => link.includes("/errors.html")), String(results));
    assert.deepEqual(errors, []);
  } finally {
    await site.close();
  }
});

async function checkLink(link: string): Promise<void> {
  const [url = "", fragment = ""] = link.split("#");
  const answer = await fetch(url);
  const html = await answer.text();
  assert.equal(answer.status, 200, `${link} leads nowhere`);
  if (fragment === "") return;
  assert.ok(html.includes(`id="${decodeURIComponent(fragment)}"`), `${link} leads to no heading`);
}
