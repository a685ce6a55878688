// ETags of WebDAV listings: how they are told, and what is a change.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ObjectStorePoller } from "@koprs/external/store";
import { isTag, listedTag } from "../../_listing/etag.ts";
import { file, folder, multistatus, storeOf } from "./_webdav.ts";

test("a tag is told in quotes and without a sign of weakness", () => {
  const tags: [string, string][] = [
    ['"a"', '"a"'],
    ['""', '""'],
    ['W/"a"', '"a"'],
    ["a", '"a"'],
    ["W/a", '"a"'],
    ["11010137-1795629692-1", '"11010137-1795629692-1"'],
    // Whatever can be no tag is left as it is.
    ['a"b', 'a"b'],
    ['"a', '"a'],
    ["a b", "a b"],
    ['W/"a b"', 'W/"a b"'],
    ["w/a", '"w/a"'],
    ["", ""],
  ];
  for (const [listed, told] of tags) {
    assert.equal(listedTag(listed), told, listed);
    assert.equal(listedTag(told), told, told);
  }
  for (const tag of ['""', '"a"']) assert.ok(isTag(tag), tag);
  for (const tag of ['"', "a", 'W/"a"', '"a"b"', '"a b"', ""]) assert.ok(!isTag(tag), tag);
});

test("a tag that is weak at first and strong later is the same; another one is a change", async () => {
  const listing = (etag: string) => multistatus(folder("/dav/"), file("/dav/a", etag));
  const tags = ['W/"1"', '"1"', "1", 'W/"1"', 'W/"2"', '"3"', "4"];
  const { store } = storeOf({ "/dav/": tags.map(listing) });
  const poller = new ObjectStorePoller(store);
  const told: string[] = [];
  for (let i = 0; i < tags.length; i++) {
    for (const { type, item } of await poller.poll({ signal: new AbortController().signal })) {
      told.push(`${type} ${item.etag}`);
    }
  }
  assert.deepEqual(told, ['added "1"', 'modified "2"', 'modified "3"', 'modified "4"']);
});
