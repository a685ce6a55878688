// A page of places: what is checked of it, and how ranges are cut out of it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ExternalError } from "@koprs/external/error";
import { ListedPage, pageOfObjects } from "../../_listing/listed_page.ts";
import { isFault, keysOf, SOURCE, tracked } from "./_s3.ts";

const encoder = new TextEncoder();

function pageOf(keys: readonly string[], prefix = ""): ListedPage {
  return pageOfObjects(keys.map((key) => ({ key, size: 1 })), SOURCE, prefix);
}

test("a range is cut out of a page", () => {
  const cut = (keys: readonly string[], after?: string, until?: string) => {
    const page = pageOf(keys);
    const past = page.cut(after, until);
    assert.deepEqual(tracked(page).map(({ key }) => key), keysOf(page));
    assert.equal(page.count, keysOf(page).length);
    return [keysOf(page).join(""), past];
  };
  assert.deepEqual(cut(["a", "b", "c", "d"], "a", "c"), ["bc", true]);
  assert.deepEqual(cut(["a", "b", "c", "d"], undefined, "d"), ["abcd", true]);
  assert.deepEqual(cut(["a", "b", "c", "d"], "d"), ["", false]);
  assert.deepEqual(cut(["a", "b", "c", "d"], "aa", "az"), ["", true]);
  assert.deepEqual(cut(["a", "b", "c", "d"]), ["abcd", false]);
  assert.deepEqual(cut([], "a", "b"), ["", false]);
  assert.deepEqual(cut(["\uffff", "\u{10000}"], "\uffff"), ["\u{10000}", false]);
});

test("a page tells its keys, the first one out of order, and the first one without a prefix", () => {
  assert.equal(pageOf([]).disorder(), -1);
  assert.equal(pageOf(["a", "ab", "b", "\uffff", "\u{10000}"]).disorder(), -1);
  assert.equal(pageOf(["a", "c", "b"]).disorder(), 2);
  assert.equal(pageOf(["b", "a", "c"]).disorder(), 1);
  assert.equal(pageOf(["ab", "a"]).disorder(), 1);
  const page = pageOf(["a", "b", "c", "d"]);
  page.cut("a", "c");
  const key = (i: number) => new TextDecoder().decode(page.key(i));
  assert.deepEqual([key(0), key(1)], ["b", "c"]);
  assert.deepEqual(page.lastKey(), encoder.encode("c"));
  for (const i of [-1, 2]) assert.equal(page.key(i), undefined);
  assert.equal(pageOf([]).lastKey(), undefined);
  const without = (prefix: string, ...keys: string[]) =>
    pageOf(keys).without(encoder.encode(prefix));
  assert.equal(without("a/", "a/", "a/b"), -1);
  assert.equal(without("a/", "a/b", "a", "b"), 1);
  assert.equal(without("ab", "ac"), 0);
  assert.equal(without("", "a"), -1);
});

test("a key outside of the prefix is an error that says so", () => {
  assert.deepEqual(keysOf(pageOf(["a/", "a/b"], "a/")), ["a/", "a/b"]);
  assert.deepEqual(keysOf(pageOf(["é1", "é2"], "é")), ["é1", "é2"]);
  for (const key of ["b", "a", "a-", "A/"]) {
    assert.throws(
      () => pageOf(["a/1", key, "a/2"], "a/"),
      isFault(new RegExp(`the server ignores 'prefix': asked for .* 'a/', it lists '${key}'$`)),
    );
  }
});

test("a key twice in one page is an error, wherever the two are", () => {
  for (
    const keys of [["a", "a"], ["a", "b", "a"], ["c", "b", "a", "b"], [
      "\u{1f600}",
      "a",
      "\u{1f600}",
    ]]
  ) {
    assert.throws(() => pageOf(keys), isFault(/has the key '.*' twice/), keys.join());
  }
  const many = Array.from({ length: 5_000 }, (_, i) => `k${i}`);
  assert.equal(pageOf(many).count, 5_000);
  assert.throws(() => pageOf([...many, "k17"]), isFault(/the key 'k17' twice/));
});

test("keys that are no text are told apart by their bytes", () => {
  const page = new ListedPage(Uint8Array.of(0xff, 0xfe, 0xff), SOURCE);
  for (const at of [0, 1]) page.push(at, at + 1, -1, 0, false, 1, NaN);
  page.check();
  assert.throws(() => page.objects(), isFault(/not UTF-8/));
  page.push(2, 3, -1, 0, false, 1, NaN);
  assert.throws(() => page.check(), isFault(/twice/));
});

test("a folder without a size is empty; any other object without one is named", () => {
  const page = (key: string) => pageOfObjects([{ key, size: -1 }], SOURCE);
  assert.deepEqual(page("a/").objects(), [{ key: "a/", size: 0 }]);
  assert.throws(() => page("a/\nb"), (error) => {
    assert.ok(error instanceof ExternalError);
    assert.match(error.message, /an object without a size, 'a\/\\nb'$/);
    return true;
  });
});

test("a page of many objects has all that each of them has", () => {
  const objects = Array.from({ length: 4_500 }, (_, i) => ({
    key: `k${String(i).padStart(4, "0")}`,
    size: i,
    ...(i % 3 > 0 && { etag: `"${i}"` }),
    ...(i % 3 < 2 && { lastModified: i * 1_000 }),
  }));
  const page = pageOfObjects(objects, SOURCE);
  assert.deepEqual(page.objects(), objects);
  assert.deepEqual(
    tracked(page).map(({ key, size, etag }) => [key, size, etag]),
    objects.map(({ key, size, etag }) => [key, size, etag]),
  );
});

test("a key is next if it sorts after the last one", () => {
  const page = new ListedPage(encoder.encode("bac\ue000\u{10000}"), SOURCE);
  const next = (start: number, end: number) => page.isNext(start, end);
  assert.equal(next(0, 1), true, "the first");
  page.push(0, 1, -1, 0, false, 1, NaN);
  assert.deepEqual([next(1, 2), next(0, 1), next(2, 3), next(0, 2)], [false, false, true, true]);
  page.push(3, 6, -1, 0, false, 1, NaN);
  assert.equal(next(6, 10), true, "by its bytes");
});

test("a page that is used again holds nothing of the one before", () => {
  const page = pageOf(["b", "a"]);
  page.truncated = true;
  page.nextToken = "x";
  page.reset(encoder.encode("kl"));
  assert.deepEqual([page.count, page.truncated, page.nextToken], [0, undefined, undefined]);
  page.push(0, 1, -1, 0, false, 1, NaN);
  page.push(1, 2, -1, 0, false, 1, NaN);
  page.check();
  assert.deepEqual(keysOf(page), ["k", "l"]);
  assert.equal(page.disorder(), -1);
});
