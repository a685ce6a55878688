// The guide as a static site: `npm install && npm run build` in docs/ writes it to docs/.vitepress/dist.
import { readdirSync, readFileSync } from "node:fs";

const docs = new URL("../", import.meta.url);

/** The pages in the order to read them; those that are not named here come behind. */
const ORDER = [
  "getting-started",
  "sources",
  "stores",
  "state",
  "handling",
  "groups",
  "kubernetes",
  "cost",
  "cli",
  "errors",
  "observability",
  "performance",
  "beside-others",
];

function pages() {
  const names = readdirSync(docs).filter((name) => name.endsWith(".md") && name !== "index.md")
    .map((name) => name.slice(0, -".md".length));
  const rank = (name) => (ORDER.includes(name) ? ORDER.indexOf(name) : ORDER.length);
  return names.sort((a, b) => rank(a) - rank(b) || a.localeCompare(b))
    .map((name) => ({ text: titleOf(name), link: `/${name}` }));
}

function titleOf(name) {
  const heading = /^# (.*)$/m.exec(readFileSync(new URL(`${name}.md`, docs), "utf8"));
  if (heading === null) throw new Error(`docs/${name}.md has no heading of the first level`);
  return heading[1];
}

export default {
  title: "koprs-external",
  description: "Polls what lives outside of the cluster, and streams what changed",
  head: [["link", { rel: "icon", type: "image/svg+xml", href: "/favicon.svg" }]],
  // Code blocks say how they are tested, such as `ts ignore`: only the language is for the reader.
  markdown: { config: (md) => void (md.core.ruler.push("languages", firstWordOfFences)) },
  themeConfig: {
    nav: [{ text: "Guide", link: "/getting-started" }],
    sidebar: pages(),
    outline: "deep",
    search: { provider: "local" },
  },
};

function firstWordOfFences({ tokens }) {
  for (const token of tokens) {
    if (token.type === "fence") token.info = token.info.split(/\s/)[0];
  }
}
