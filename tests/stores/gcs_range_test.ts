// Ranges of a listing, against a server whose start is inclusive and whose end is not, as Google's are.
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
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

test("a page from outside the range is not taken", async (t) => {
  // A server that does not know ranges at all.
  const { origin } = await serve(t, (_request, response) => {
    response.setHeader("content-type", gcs.type);
    response.end(gcs.page(KEYS.map((key) => ({ key })), "more"));
  });
  const listed = await objectsOf(gcs.store(origin), { after: "a", until: "ab" });
  assert.deepEqual(listed.map(({ key }) => key), ["a\u0001", "a ", "a b", "a/", "a/b", "ab"]);
});
