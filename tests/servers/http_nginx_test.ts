// HttpPoller on nginx serving a folder: real ETag and Last-Modified, gzip, and its one-second ETags.
import assert from "node:assert/strict";
import { rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { HttpPoller, watchExternal } from "@koprs/external";
import { missingNginx, type NginxServer, startNginx } from "./nginx.ts";

const skip = await missingNginx() ?? false;
const timeout = 30_000;

interface Observed {
  readonly poller: HttpPoller;
  /** `ETag asked with → status`, a line a request. */
  readonly log: string[];
  told(): Promise<string>;
}

function observe(server: NginxServer, path: string, headers?: HeadersInit): Observed {
  const log: string[] = [];
  const poller = new HttpPoller(`${server.url}/${path}`, {
    ...(headers && { headers }),
    fetch: async (input, init) => {
      const asked = new Headers(init?.headers).get("if-none-match");
      const response = await fetch(input, init);
      log.push(`${asked === null ? "" : "conditional "}${response.status}`);
      return response;
    },
  });
  const told = async () => {
    const events = [...await poller.poll({ signal: new AbortController().signal })];
    return events.map(({ type, item }) => `${type} ${item.text()}`.trim()).join();
  };
  return { poller, log, told };
}

function write(server: NginxServer, name: string, text: string, seconds?: number): void {
  const path = join(server.root, name);
  writeFileSync(path, text);
  if (seconds !== undefined) utimesSync(path, seconds, seconds);
}

test("nginx: added, 304, modified, removed, added again", { skip, timeout }, async (t) => {
  const server = await startNginx();
  t.after(() => server.stop());
  const { poller, log, told } = observe(server, "a.txt");
  assert.equal(await told(), "");
  write(server, "a.txt", "one", 1_000_000_000);
  const [added] = [...await poller.poll({ signal: new AbortController().signal })];
  assert.equal(added?.type, "added");
  assert.equal(added.item.etag, '"3b9aca00-3"');
  assert.equal(added.item.lastModified, "Sun, 09 Sep 2001 01:46:40 GMT");
  assert.equal(added.item.contentType, "text/plain");
  assert.equal(await told(), "");
  write(server, "a.txt", "four", 1_000_000_000);
  assert.equal(await told(), "modified four", "another size in the same second is another ETag");
  write(server, "a.txt", "five", 1_000_000_001);
  assert.equal(await told(), "modified five");
  utimesSync(join(server.root, "a.txt"), 1_000_000_002, 1_000_000_002);
  assert.equal(await told(), "", "touched, not changed");
  assert.equal(await told(), "");
  rmSync(join(server.root, "a.txt"));
  assert.equal(await told(), "removed");
  assert.equal(await told(), "");
  write(server, "a.txt", "five", 1_000_000_002);
  assert.equal(await told(), "added five");
  assert.deepEqual(log, [
    "404",
    "200",
    "conditional 304",
    "conditional 200",
    "conditional 200",
    "conditional 200",
    "conditional 304",
    "conditional 404",
    "404",
    "200",
  ]);
});

test("nginx: gzip has weak ETags, and their 304 is believed", { skip, timeout }, async (t) => {
  const server = await startNginx({ gzip: true });
  t.after(() => server.stop());
  write(server, "a.txt", "text ".repeat(1_000), 1_000_000_000);
  for (const headers of [undefined, { "Accept-Encoding": "gzip" }]) {
    const { poller, log, told } = observe(server, "a.txt", headers);
    const [added] = [...await poller.poll({ signal: new AbortController().signal })];
    assert.equal(added?.item.text(), "text ".repeat(1_000));
    assert.equal(added?.item.etag, headers ? 'W/"3b9aca00-1388"' : '"3b9aca00-1388"');
    assert.equal(await told(), "");
    assert.equal(await told(), "");
    assert.deepEqual(log, ["200", "conditional 304", "conditional 304"]);
  }
});

test(
  "nginx: a file rewritten in the same second, in the same size, is seen",
  { skip, timeout },
  async (t) => {
    const server = await startNginx();
    t.after(() => server.stop());
    const path = join(server.root, "a.txt");
    const second = () => Math.floor(statSync(path).mtimeMs / 1000);
    // Real time of the file system and the server: only if all of it fell into one second has it shown anything.
    for (let attempt = 0; attempt < 10; attempt++) {
      const { log, told } = observe(server, "a.txt");
      await new Promise((resolve) => setTimeout(resolve, 1_020 - Date.now() % 1000));
      write(server, "a.txt", "one");
      const start = second();
      const seen = [await told(), await told()];
      write(server, "a.txt", "two");
      seen.push(await told());
      write(server, "a.txt", "six");
      const within = second() === start;
      seen.push(await told(), await told());
      assert.deepEqual(seen, ["added one", "", "modified two", "modified six", ""]);
      if (!within) continue;
      assert(!log.slice(0, 4).includes("conditional 304"), log.join());
      // When the second is over, the validators are of use again.
      await new Promise((resolve) => setTimeout(resolve, 1_020 - Date.now() % 1000));
      assert.equal(await told(), "");
      assert.equal(await told(), "");
      assert.equal(log.at(-1), "conditional 304");
      return;
    }
    assert.fail("ten attempts did not fit into a second each");
  },
);

test(
  "nginx: a folder without an index is 403, with one it is content",
  { skip, timeout },
  async (t) => {
    const server = await startNginx();
    t.after(() => server.stop());
    const { poller } = observe(server, "");
    await assert.rejects(poller.poll({ signal: new AbortController().signal }), {
      code: "status",
      status: 403,
    });
    write(server, "index.html", "<p>");
    const [added] = [...await poller.poll({ signal: new AbortController().signal })];
    assert.equal(added?.item.contentType, "text/html");
  },
);

test(
  "nginx: a watch survives that the server is gone for a while",
  { skip, timeout },
  async (t) => {
    const root = join((await startAside(t)).folder, "root");
    const first = await startNginx({ root });
    let server = first;
    t.after(() => server.stop());
    write(server, "a.txt", "one", 1_000_000_000);
    let stopped: Promise<void> | undefined;
    const codes: string[] = [];
    const url = { now: server.url };
    const poller = new HttpPoller("http://nginx.test/a.txt", {
      fetch: (_, init) => fetch(`${url.now}/a.txt`, init),
    });
    const seen: string[] = [];
    const watch = watchExternal(poller, {
      interval: 5,
      maxBackoff: 20,
      logger: false,
      onError: (error) => {
        codes.push(error.code);
        if (codes.length !== 3) return;
        // Comes back on another port, with another content.
        stopped = stopped!.then(async () => {
          server = await startNginx({ root });
          write(server, "a.txt", "two", 1_000_000_001);
          url.now = server.url;
        });
      },
    });
    for await (const event of watch) {
      seen.push(`${event.type} ${event.item.text()}`);
      if (seen.length === 2) break;
      stopped = first.stop();
    }
    await stopped;
    assert.deepEqual(seen, ["added one", "modified two"]);
    assert(codes.length >= 3 && codes.every((code) => code === "network"), codes.join());
  },
);

async function startAside(
  t: { after(callback: () => unknown): void },
): Promise<{ folder: string }> {
  const folder = await mkdtemp(join(tmpdir(), "koprs-nginx-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return { folder };
}
