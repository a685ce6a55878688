// What a browser sees of the site, as JSON on standard output. Run by Node, whose modules puppeteer is made of:
// node _browse.mjs '{"generator", "chromium", "url", "names", "widths", "screenshots"}'
import { createRequire } from "node:module";
import { join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";

const { generator, chromium, url, names, widths, screenshots } = JSON.parse(process.argv[2]);
const driver = createRequire(generator).resolve("puppeteer-core");
const { default: puppeteer } = await import(pathToFileURL(driver).href);
// As root, as in containers, Chromium's sandbox cannot start. It opens nothing but our own pages.
const args = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
const browser = await puppeteer.launch({ executablePath: chromium, args });
try {
  const page = await browser.newPage();
  const errors = [];
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("response", (answer) => {
    if (answer.status() >= 400) errors.push(`${answer.status()} ${answer.url()}`);
  });

  const open = async (name) => {
    const answer = await page.goto(`${url}/${name}`, { waitUntil: "load" });
    return answer.status();
  };
  const views = [];
  const links = new Set();
  for (const name of names) {
    for (const width of widths) {
      await page.setViewport({ width, height: 900 });
      const status = await open(name);
      const needed = await page.evaluate("document.documentElement.scrollWidth");
      const path = screenshots && join(screenshots, `${name}-${width}.png`);
      const picture = await page.screenshot(path ? { path } : {});
      views.push({ name, width, status, needed, bytes: picture.length });
    }
    const found = "[...document.querySelectorAll('a[href]')].map((link) => link.href)";
    for (const link of await page.evaluate(found)) links.add(link);
  }

  await page.setViewport({ width: 1280, height: 900 });
  await open("getting-started.html");
  await page.click("button.DocSearch-Button");
  await page.waitForSelector("input.search-input");
  await page.type("input.search-input", "removal-guard");
  await page.waitForSelector(".results .result");
  const results = await page.evaluate(
    "[...document.querySelectorAll('.results .result')].map((result) => result.href)",
  );
  console.log(JSON.stringify({ views, links: [...links], results, errors }));
} finally {
  await browser.close();
}
