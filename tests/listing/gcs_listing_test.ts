// What a page of a listing of Google Cloud Storage says, and what is none. The store itself is tested
// against a server in tests/servers/gcs_test.ts.
import { ExternalError } from "@koprs/external/error";
import fc from "fast-check";
import assert from "node:assert/strict";
import { test } from "node:test";
import { ObjectBuilder } from "../../_diff/builder.ts";
import { objectCodec } from "../../_diff/object_identity.ts";
import { type GcsPage, scanGcsPage } from "../../_listing/gcs_listing.ts";
import { ListedPage } from "../../_listing/listed_page.ts";
import type { ObjectMeta } from "../../store.ts";

const scan = (bytes: Uint8Array, prefix = ""): GcsPage =>
  scanGcsPage(bytes, new ListedPage(bytes, "gs://b", prefix));

const bytesOf = (text: string) => new TextEncoder().encode(text);

// What a file of JSON can say beside its content: spaces, and escapes where none are needed.
const layout = fc.record({
  indent: fc.constantFrom(undefined, 2, "\t"),
  escape: fc.constantFrom("none", "wide", "all"),
});

const object = fc.record({
  key: fc.oneof(
    fc.string({ unit: "binary", minLength: 1, maxLength: 20 }),
    fc.string({
      unit: fc.constantFrom('"', "\\", "/", "\n", "é", "\ud83d", "\ude00", "\u{1f600}", "a"),
      minLength: 1,
    }),
  ),
  size: fc.oneof(fc.nat(), fc.maxSafeNat()),
  etag: fc.oneof(
    fc.maxSafeNat().map(String),
    fc.bigInt({ min: 2n ** 60n, max: 2n ** 63n }).map(String),
  ),
  lastModified: fc.integer({ min: 0, max: 4e12 }),
}, { noNullPrototype: true });

function escapeAs(json: string, how: string): string {
  if (how === "none") return json;
  // Outside of strings JSON has no such characters.
  const pattern = how === "wide" ? /[^\0-\x7f]/g : /[^\0-\x7f]|(?<!\\)\//g;
  return json.replace(pattern, (character) => `\\u${hex(character)}`);
}

/** Of one UTF-16 unit. */
function hex(unit: string): string {
  return unit.charCodeAt(0).toString(16).padStart(4, "0");
}

function pageOf(
  objects: readonly ObjectMeta[],
  { indent, escape }: { indent: string | number | undefined; escape: string },
  token?: string,
): Uint8Array {
  const json = JSON.stringify(
    {
      items: objects.map(({ key, size, etag, lastModified = 0 }) => ({
        acl: [{ role: "OWNER", team: {}, nested: [[], [null, true, -1.5e3, "]}"]] }],
        size: String(size),
        updated: new Date(lastModified).toISOString(),
        name: key,
        generation: etag,
        metadata: { name: "not this one", size: "7" },
      })),
      ...(token !== undefined && { nextPageToken: token }),
      prefixes: ["a/"],
      kind: "storage#objects",
    },
    null,
    indent,
  );
  return bytesOf(escapeAs(json, escape));
}

/** A key that cannot be sent as UTF-8, only as an escape. */
function lone(text: string): boolean {
  return !text.isWellFormed();
}

test("a page says exactly what was put into it, in both ways it is read", () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(object, { selector: ({ key }) => key }),
      layout,
      fc.option(fc.string({ minLength: 1 })),
      (objects, form, token) => {
        const escape = objects.some(({ key }) => lone(key)) ? "wide" : form.escape;
        const bytes = pageOf(objects, { ...form, escape }, token ?? undefined);
        const { page, nextPageToken } = scan(bytes);
        assert.equal(page.count, objects.length);
        assert.deepEqual(page.objects(), objects);
        assert.equal(nextPageToken, token === null ? undefined : token.toWellFormed());
        const one = new ObjectBuilder();
        page.addTo(one);
        const other = new ObjectBuilder();
        for (const object of objects) other.add(object);
        assert.deepEqual([...one.finish().values(objectCodec)], [
          ...other.finish().values(objectCodec),
        ]);
      },
    ),
  );
});

test("a page that is cut short anywhere is none", () => {
  const object = { key: 'a"é\u{1f600}', size: 5, etag: "17", lastModified: 1_000 };
  const whole = pageOf([object, { ...object, key: "b" }], { indent: 1, escape: "wide" }, "next");
  for (let length = 0; length < whole.length; length++) {
    assert.throws(
      () => scan(whole.slice(0, length)),
      isFault(/not a complete listing/),
      `${length}`,
    );
  }
  scan(whole.slice());
});

test("what is no listing is refused", () => {
  const item = (fields: string) => `{"kind":"storage#objects","items":[{${fields}}]}`;
  for (
    const text of [
      "",
      "null",
      "[]",
      "{}",
      '"storage#objects"',
      '{"kind":"storage#buckets","items":[]}',
      '{"items":[]}',
      '{"kind":"storage#objects"} {}',
      '{"kind":"storage#objects","items":{}}',
      '{"kind":"storage#objects","items":[],"items":[]}',
      '{"kind":"storage#objects","items":[],}',
      '{"kind":"storage#objects" "items":[]}',
      "<html>Sign in</html>",
      item('"name":"a","size":"1"'),
      item('"name":"a\u0001b","size":"1","generation":"1"'),
      item('"name":"a\nb","size":"1","generation":"1"'),
      item('"name":"a","size":"1","generation":"1","x":"\t"'),
      item('"name":"a","size":"1","generation":"1",'),
      item('"name":"a","size":"1","generation":"1","x":[1,]'),
      item('"name":"a","size":"1","generation":"1","x":01'),
      item('"name":"a","size":"1","generation":"1","x":+1'),
      item('"name":"a","size":"1","generation":"1","x":1.'),
      item('"name":"a","size":"1","generation":"1","x":nul'),
      item('"name":"a","size":"1","generation":"1","x":NaN'),
      item('"name":"a","size":1e3,"generation":"1"'),
      item('"name":"a","size":"1","generation":"x"'),
      item('"name":"a","size":"1","generation":""'),
      item('"name":"a","size":"1","generation":true'),
      item('"name":"a","size":null,"generation":"1"'),
      item('"name":["a"],"size":"1","generation":"1"'),
      item('"name":"a","name":"b","size":"1","generation":"1"'),
      item('"name":"a","size":"1","size":"1","generation":"1"'),
      item('"name":"a","size":"1","generation":"1","generation":"1"'),
      item('"name":"a","size":"1","generation":"1","updated":"2026-02-30T00:00:00Z"'),
      item(
        '"name":"a","size":"1","generation":"1","updated":"2026-01-01T00:00:00Z","updated":"2026-01-01T00:00:00Z"',
      ),
      '{"kind":"storage#objects","kind":"storage#objects"}',
      '{"kind":"storage#objects","nextPageToken":"1","nextPageToken":"2"}',
      '\ufeff{"kind":"storage#objects"}',
      item('"size":"1","generation":"1"'),
      item('"name":"","size":"1","generation":"1"'),
      item('"name":"a","size":"1.5","generation":"1"'),
      item('"name":"a","size":"-1","generation":"1"'),
      item('"name":"a","size":"9007199254740993","generation":"1"'),
      item('"name":"a\\q","size":"1","generation":"1"'),
      item('"name":"a\\u00g0","size":"1","generation":"1"'),
      item('"name":"a","size":"1","generation":"1","updated":"yesterday"'),
      `{"kind":"storage#objects","deep":${"[".repeat(100_000)}`,
    ]
  ) {
    assert.throws(() => scan(bytesOf(text)), isFault(/not a complete listing/), text.slice(0, 80));
  }
});

test("a folder without a size is empty; an object without one is named", () => {
  const item = (name: string) =>
    bytesOf(`{"kind":"storage#objects","items":[{"name":"${name}","generation":"1"}]}`);
  assert.deepEqual(scan(item("a/")).page.objects(), [{ key: "a/", size: 0, etag: "1" }]);
  assert.throws(() => scan(item("a\\u0026b")), isFault(/without a size, 'a&b'/));
});

test("an object outside of the prefix is an error that says so", () => {
  const objects = ["a/1", "b"].map((key) => ({ key, size: 1, etag: "1", lastModified: 0 }));
  const page = pageOf(objects, { indent: undefined, escape: "none" });
  assert.throws(() => scan(page, "a/"), isFault(/ignores 'prefix': .* 'a\/', it lists 'b'/));
});

function isFault(pattern: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof ExternalError, String(error));
    assert.deepEqual([error.code, error.source], ["protocol", "gs://b"]);
    assert.match(error.message, pattern);
    assert.match(error.message, /^Cannot list 'gs:\/\/b' as /);
    return true;
  };
}

test("an empty listing, bare numbers, other forms of time", () => {
  const scan = (text: string) =>
    scanGcsPage(bytesOf(text), new ListedPage(new Uint8Array(), "gs://b"));
  assert.deepEqual(scan('{"kind":"storage#objects"}').page.objects(), []);
  assert.deepEqual(scan('{"kind":"storage#objects","items":[]}').page.objects(), []);
  assert.equal(scan('{"kind":"storage#objects","nextPageToken":""}').nextPageToken, undefined);
  for (
    const [updated, lastModified] of [
      ["2026-11-23T04:23:46.123Z", Date.UTC(2026, 10, 23, 4, 23, 46, 123)],
      ["2026-11-23T04:23:46.123456Z", Date.UTC(2026, 10, 23, 4, 23, 46, 123)],
      ["2026-11-23T04:23:46Z", Date.UTC(2026, 10, 23, 4, 23, 46)],
      ["2026-11-23T05:23:46+01:00", Date.UTC(2026, 10, 23, 4, 23, 46)],
    ] as const
  ) {
    const text = `{"kind":"storage#objects","items":[
      {"name":"a","size":12,"generation":1700000000000001,"updated":"${updated}"},
      {"name":"b","size":"0","generation":"2"}
    ]}`;
    assert.deepEqual(scan(text).page.objects(), [
      { key: "a", size: 12, etag: "1700000000000001", lastModified },
      { key: "b", size: 0, etag: "2" },
    ]);
  }
});

test("keys that are not UTF-8 are refused, not mended", () => {
  const bytes = bytesOf(
    '{"kind":"storage#objects","items":[{"name":"a?","size":"1","generation":"1"}]}',
  );
  bytes[bytes.indexOf(0x3f)] = 0xff;
  assert.throws(() => scan(bytes), isFault(/UTF-8/));
});

test("cutting a page leaves `after < key <= until`", () => {
  const keys = fc.uniqueArray(
    fc.string({ unit: "binary", minLength: 1, maxLength: 3 }).filter((key) => !lone(key)),
  );
  const bound = fc.option(fc.string({ unit: "binary", maxLength: 3 }), { nil: undefined });
  fc.assert(fc.property(keys, bound, bound, (keys, after, until) => {
    keys.sort(compare);
    const objects = keys.map((key) => ({ key, size: 0, etag: "1", lastModified: 0 }));
    const { page } = scan(pageOf(objects, { indent: undefined, escape: "none" }));
    const beyond = page.cut(after, until);
    const kept = keys.filter((key) =>
      (after === undefined || compare(key, after) > 0) &&
      (until === undefined || compare(key, until) <= 0)
    );
    assert.deepEqual(page.objects().map(({ key }) => key), kept);
    assert.equal(page.count, kept.length);
    const behind = keys.filter((key) => after === undefined || compare(key, after) > 0).at(-1);
    assert.equal(beyond, until !== undefined && behind !== undefined && compare(behind, until) > 0);
  }));
});

/** In the order of code points, which is that of UTF-8. */
function compare(a: string, b: string): number {
  const [left, right] = [[...a], [...b]].map((text) => text.map((c) => c.codePointAt(0) ?? 0));
  if (left === undefined || right === undefined) return 0;
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}
