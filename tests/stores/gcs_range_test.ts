// Ranges of a listing, against a server whose start is inclusive and whose end is not, as Google's are.
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { isOrderFault } from "../../_listing/order_fault.ts";
import { serve } from "../http/_http_server.ts";
import { gcs, objectsOf, queryOf } from "./_clouds.ts";

function compare(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

const LONG = "c".repeat(1024);
const KEYS = ["a", "a\u0001", "a ", "a b", "a/", "a/b", "ab", "b", "b\uffff", "b\u{10000}", LONG];

test("every range of every pair of keys is exact, and asks for hardly more", async (t) => {
  const { origin, requests } = await serve(t, (request, response) => {
    const query = queryOf(request);
    const [start = "", end] = [query.get("startOffset") ?? "", query.get("endOffset")];
    const from = Number(query.get("pageToken") ?? 0);
    const found = KEYS.filter((key) =>
      compare(key, start) >= 0 && (end === null || compare(key, end) < 0)
    );
    const size = Number(query.get("maxResults"));
    const more = found.length > from + size ? String(from + size) : undefined;
    response.setHeader("content-type", gcs.type);
    response.end(gcs.page(found.slice(from, from + size).map((key) => ({ key })), more));
  });
  const store = gcs.store(origin, { pageSize: 3 });
  for (const after of [undefined, "", ...KEYS, "a!", "zzz"]) {
    for (const until of [undefined, "", ...KEYS, "a!", "zzz"]) {
      const options = {
        ...(after !== undefined && { after }),
        ...(until !== undefined && { until }),
      };
      const asked = requests.length;
      const expected = KEYS.filter((key) =>
        (after === undefined || compare(key, after) > 0) &&
        (until === undefined || compare(key, until) <= 0)
      );
      const listed = (await objectsOf(store, options)).map(({ key }) => key);
      assert.deepEqual(listed, expected, JSON.stringify(options));
      // Two keys at most are sent that are not in the range: its start, and one behind its end.
      const pages = requests.length - asked;
      assert.ok(pages <= Math.ceil((expected.length + 2) / 3) || expected.length === 0, `${pages}`);
    }
  }
});

/** A server whose listings are these pages, whatever is asked for. */
async function storeOf(scope: Parameters<typeof serve>[0], pages: readonly string[][]) {
  const { origin } = await serve(scope, (request, response) => {
    const nth = Number(queryOf(request).get("pageToken") ?? 0);
    const more = nth + 1 < pages.length ? String(nth + 1) : undefined;
    response.setHeader("content-type", gcs.type);
    response.end(gcs.page((pages[nth] ?? []).map((key) => ({ key })), more));
  });
  return gcs.store(origin);
}

const strange: Readonly<Record<string, readonly string[][]>> = {
  "begins before its start": [["a", "c", "d"]],
  "goes on behind its end": [["c", "d", "e!"]],
  "has a page out of order where it is cut": [["d", "e\u0001", "c", "e\u0002"]],
  "has a page out of order behind its start": [["b", "a", "c"]],
  "has pages out of order": [["d"], ["c"]],
  "has a page twice": [["c", "d"], ["c", "d"]],
};

for (const [how, pages] of Object.entries(strange)) {
  test(`a range that ${how} is told as such, and listed whole without one`, async (t) => {
    const store = await storeOf(t, pages);
    await assert.rejects(objectsOf(store, { after: "b", until: "e" }), isOrderFault);
    const listed = await objectsOf(store);
    assert.deepEqual(listed.map(({ key }) => key), pages.flat());
  });
}

test("a page of which nothing is cut is handed on, whatever its order", async (t) => {
  const store = await storeOf(t, [["d", "c", "e"]]);
  const listed = await objectsOf(store, { after: "b", until: "e" });
  assert.deepEqual(listed.map(({ key }) => key), ["d", "c", "e"]);
});

test("a range may hold its own bounds, and what lies right behind its end", async (t) => {
  const store = await storeOf(t, [["b", "c"], [], ["e", "e\u0001"], ["e\u0002"]]);
  const listed = await objectsOf(store, { after: "b", until: "e" });
  assert.deepEqual(listed.map(({ key }) => key), ["c", "e"]);
});
