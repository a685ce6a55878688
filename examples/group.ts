/**
 * A folder of JSON files says what to watch, and is edited while it runs: each file names a URL, which is polled as long as the
 * file is there. All changes come from one stream.
 */
import { CollectionPoller, HttpPoller, type HttpResource, watchExternal } from "@koprs/external";
import { WatchGroup } from "@koprs/external/group";

/** One file. */
interface Definition {
  readonly file: string;
  readonly url: string;
  readonly interval: number;
}

const contents: Record<string, string> = { "/one": "1", "/two": "2" };
const upstream = Deno.serve(
  { port: 0, onListen() {} },
  ({ url }) => new Response(contents[new URL(url).pathname]),
);
const origin = `http://localhost:${upstream.addr.port}`;
const folder = await Deno.makeTempDir();

async function define(file: string, path: string): Promise<void> {
  const text = JSON.stringify({ url: origin + path, interval: 20 });
  // Written aside and renamed: nobody reads half a file.
  await Deno.writeTextFile(`${folder}/.${file}`, text);
  await Deno.rename(`${folder}/.${file}`, `${folder}/${file}`);
}

/** The files as they are now. */
async function* definitions(): AsyncGenerator<Definition[]> {
  for await (const { name: file } of Deno.readDir(folder)) {
    if (file.startsWith(".")) continue;
    yield [{ file, ...JSON.parse(await Deno.readTextFile(`${folder}/${file}`)) }];
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
    await Deno.remove(`${folder}/b.json`); // and one less
  } else if (source === "b.json") break;
}
await following;
await upstream.shutdown();
await Deno.remove(folder, { recursive: true });
