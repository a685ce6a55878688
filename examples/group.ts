/**
 * Watches what the JSON files of a folder say, while the folder is edited: each file names a URL, which is polled as
 * long as the file exists. All changes come from one stream.
 */
import { mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CollectionPoller, HttpPoller, type HttpResource, watchExternal } from "@koprs/external";
import { WatchGroup } from "@koprs/external/group";
import { serve } from "./_server.ts";

/** What one file says. */
interface Definition {
  readonly file: string;
  readonly url: string;
  readonly interval: number;
}

const contents: Record<string, string> = { "/one": "1", "/two": "2" };
const upstream = await serve(({ url }, response) => void response.end(contents[url ?? ""]));
const folder = await mkdtemp(join(tmpdir(), "definitions-"));

async function define(file: string, path: string): Promise<void> {
  const text = JSON.stringify({ url: upstream.url + path, interval: 20 });
  // Written to another file and renamed, so that half a file is never read.
  await writeFile(join(folder, `.${file}`), text);
  await rename(join(folder, `.${file}`), join(folder, file));
}

/** The files as they are now. */
async function* definitions(): AsyncGenerator<Definition[]> {
  for (const file of await readdir(folder)) {
    if (file.startsWith(".")) continue;
    yield [{ file, ...JSON.parse(await readFile(join(folder, file), "utf8")) }];
  }
}

const desired = watchExternal(
  new CollectionPoller({ name: "definitions", list: definitions, key: ({ file }) => file }),
  50,
);
const group = new WatchGroup<HttpResource>({
  interval: 30_000,
  onStatus: (name, { failures }) => console.log(name, failures === 0 ? "answers" : "fails"),
});
const following = group.follow(
  desired,
  ({ file, url, interval }) => ({
    source: new HttpPoller(url, { name: file }),
    options: { interval },
  }),
  { key: ({ file }) => file, removed: { report: true }, replaced: { report: true } },
);

await define("a.json", "/one");
for await (const { source, type, item } of group) {
  console.log(source, type, item.text());
  if (source === "a.json" && type === "added" && item.text() === "1") {
    await define("b.json", "/two"); // one more
  } else if (source === "b.json" && type === "added") {
    await define("a.json", "/two"); // another URL: the old one is withdrawn first
  } else if (source === "a.json" && type === "added") {
    await rm(join(folder, "b.json")); // and one less
  } else if (source === "b.json") break;
}
await following;
await upstream.close();
await rm(folder, { recursive: true });
