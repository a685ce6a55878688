// jsonPages: what a failed walk learned is not forgotten, and memory is bounded.
import fc from "fast-check";
import assert from "node:assert/strict";
import { test } from "node:test";
import { PageMemory, type RememberedPage, worthKeeping } from "../../_http/page_memory.ts";
import type { Validators } from "../../_http/validators.ts";
import { failure, ids, itemsOf, servePages, told } from "./_json_pages.ts";

const timeout = 10_000;

for (const [status, headers] of [[429, {}], [403, { "retry-after": "1" }], [503, {}]] as const) {
  test(`a rate limit below the number of pages is overcome, told by ${status}`, {
    timeout,
  }, async (t) => {
    const api = await servePages(t, Array.from({ length: 10 }, (_, i) => ids(i)));
    // Answers with content count, a 304 does not.
    let left = 3;
    const known = new Set<string>();
    api.intercept = (page, request, response) => {
      const condition = request.headers["if-none-match"];
      if (condition !== undefined && known.has(`${page} ${condition}`)) return false;
      if (left-- <= 0) return !!response.writeHead(status, headers).end();
      response.on("finish", () => known.add(`${page} ${response.getHeader("etag")}`));
      return false;
    };
    const poller = itemsOf(api);
    const outcomes = [];
    for (let nth = 0; nth < 5; nth++) {
      left = 3;
      outcomes.push(await told(poller).catch(() => "!"));
    }
    assert.deepEqual(outcomes.slice(0, 3), ["!", "!", "!"]);
    assert.equal(outcomes[3]?.split(", ").length, 10);
    assert.equal(outcomes[4], "");
  });
}

test("all pages change under a rate limit: overcome as well", { timeout }, async (t) => {
  const api = await servePages(t, Array.from({ length: 10 }, (_, i) => ids(i)));
  const poller = itemsOf(api);
  await told(poller);
  api.asked();
  api.pages = api.pages.map(([item]) => ids(Number(item?.id) + 10));
  let left = 0;
  api.intercept = (_, __, response) => {
    // Counted when it is answered: a 304 is free.
    response.on("finish", () => left -= response.statusCode === 200 ? 1 : 0);
    return left <= 0 && !!response.writeHead(429).end();
  };
  const outcomes = [];
  for (let nth = 0; nth < 4; nth++) {
    left = 3;
    outcomes.push(await told(poller).catch(() => "!"));
  }
  assert.deepEqual(outcomes.slice(0, 3), ["!", "!", "!"]);
  assert.match(outcomes[3] ?? "", /^removed 0, removed 1, added 10.*removed 9$/);
});

test("a walk that fails early keeps the pages behind it known", { timeout }, async (t) => {
  const api = await servePages(t, [ids(1), ids(2), ids(3)]);
  const poller = itemsOf(api);
  await told(poller);
  api.asked();
  api.intercept = (page, _, response) => page === 2 && !!response.writeHead(500).end();
  await failure(poller);
  await failure(poller);
  api.intercept = () => false;
  assert.equal(await told(poller), "");
  assert.equal(api.asked(), "1= 1 1= 2= 3=");
});

test("a page that was no JSON is not remembered, whatever its ETag", { timeout }, async (t) => {
  const api = await servePages(t, [ids(1), ids(2)]);
  const poller = itemsOf(api);
  let broken = true;
  api.intercept = (page, request, response) => {
    if (page !== 2) return false;
    const known = request.headers["if-none-match"] === '"2"';
    response.setHeader("etag", '"2"').writeHead(known ? 304 : 200);
    response.end(known ? undefined : broken ? '[{"id":' : '[{"id":2}]');
    return true;
  };
  assert.equal((await failure(poller)).code, "protocol");
  broken = false;
  assert.equal(await told(poller), "added 1, added 2");
});

test("a consumer that stops early keeps what it came to", { timeout }, async (t) => {
  const api = await servePages(t, [ids(1), ids(2), ids(3)]);
  let stop = true;
  const poller = itemsOf(api, {
    items(page) {
      if (stop && page.url.endsWith("=3")) throw new Error("enough");
      return page.body as { id: number }[];
    },
  });
  await failure(poller);
  stop = false;
  await told(poller);
  assert.equal(api.asked(), "1 2 3 1= 2= 3");
});

function page(bytes: number): RememberedPage {
  const validators = { url: "http://x/", etag: '"1"', settled: true };
  return { validators, status: 200, headers: [], body: new Uint8Array(bytes) };
}

test("pages without validators are not held, nor bodies that nobody may ask about yet", () => {
  const url = "http://x/";
  const body = new Uint8Array(10);
  const headers = [["x", "y"]] as const;
  const kept = (validators: Validators) => worthKeeping({ validators, status: 200, headers, body });
  assert.equal(kept({ url, settled: true }), undefined);
  assert.equal(kept({ url, settled: false }), undefined);
  for (const validator of [{ etag: '"1"' }, { lastModified: "x" }]) {
    assert.equal(kept({ url, settled: true, ...validator })?.body, body);
    const unsettled = { url, settled: false, ...validator };
    assert.deepEqual(kept(unsettled), {
      validators: unsettled,
      status: 200,
      headers: [],
      body: new Uint8Array(),
    });
  }
});

test("after a good walk the pages of that walk are held, and no others", () => {
  const memory = new PageMemory();
  memory.take(new Map([["/1", page(10)], ["/2", page(10)]]), true);
  memory.take(new Map([["/1", page(20)]]), false);
  assert.equal(memory.get("/1")?.body.length, 20);
  assert.equal(memory.get("/2")?.body.length, 10);
  memory.take(new Map([["/3", page(10)]]), true);
  assert.equal(memory.get("/1"), undefined);
  assert.equal(memory.get("/2"), undefined);
  assert.equal(memory.get("/3")?.body.length, 10);
});

test("of what there is no room for, the pages not asked for the longest go first", () => {
  const memory = new PageMemory();
  for (const href of ["/a", "/b", "/a", "/c"]) memory.take(new Map([[href, page(10)]]), false);
  const held = ["/a", "/b", "/c"].map((href) => memory.get(href) !== undefined);
  assert.deepEqual(held, [true, false, true]);
});

test("cursors that are new in each walk do not pile up, however many walks fail", () => {
  // Some pages come again, others are met once.
  const page_ = fc.record({ path: fc.nat({ max: 30 }), size: fc.nat({ max: 100_000 }) });
  const walk = fc.uniqueArray(page_, { selector: ({ path }) => path, minLength: 1, maxLength: 8 });
  const weigh = (pages: Iterable<RememberedPage>) =>
    [...pages].reduce((sum, { body }) => sum + body.length + 1024, 0);
  fc.assert(fc.property(fc.array(walk, { maxLength: 30 }), (walks) => {
    const memory = new PageMemory();
    let most = 0;
    for (const walk of walks) {
      const pages = new Map(walk.map(({ path, size }) => [`/${path}`, page(size)]));
      memory.take(pages, false);
      most = Math.max(most, weigh(pages.values()));
      const held = Array.from({ length: 31 }, (_, path) => memory.get(`/${path}`));
      assert(weigh(held.filter((page) => page !== undefined)) <= 2 * most);
      for (const [href, page] of pages) {
        assert.equal(memory.get(href), page, "those of the last walk");
      }
    }
  }));
});
