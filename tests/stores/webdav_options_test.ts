// How WebDavStore is made, and what it never shows.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ExternalError } from "@koprs/external/error";
import { WebDavStore } from "@koprs/external/stores/webdav";
import { list } from "./_webdav.ts";

test("the name holds no secret, and errors do not either", async () => {
  const store = new WebDavStore("https://user:s3cret@example.com/dav?token=t0ken", {
    fetch: () =>
      Promise.reject(new Error("no route to https://user:s3cret@example.com/?token=t0ken")),
  });
  assert.equal(store.name, "dav+https://example.com/dav/?token=***");
  await assert.rejects(list(store), (error) => {
    assert.ok(error instanceof ExternalError && error.code === "network");
    assert.doesNotMatch(`${error.message}${error.stack}${String(error.cause)}`, /s3cret|t0ken/);
    return true;
  });
  assert.throws(() => new WebDavStore("ftp://example.com/"), TypeError);
  assert.throws(() => new WebDavStore("nonsense"), /^TypeError: .* URL is invalid: 'nonsense'$/);
  assert.throws(() => new WebDavStore("https://example.com/", { timeout: -1 }), RangeError);
  for (const name of ["", 7, "two\nlines"]) {
    const options = { name: name as string };
    assert.throws(() => new WebDavStore("https://example.com/", options), (error) => {
      return error instanceof TypeError && /as 'name' must be /.test(error.message);
    });
  }
});

test("a name of one's own, or what the name masks, is told apart by the identity", async () => {
  const identity = (url: string, name?: string) =>
    new WebDavStore(url, name === undefined ? {} : { name }).identity();
  assert.equal(await identity("https://user:s3cret@example.com/dav"), "");
  const one = await identity("https://example.com/dav?token=1");
  const two = await identity("https://example.com/dav?token=2");
  assert.match(one, /^[\da-f]{64}$/);
  assert.notEqual(one, two);
  assert.equal(one, await identity("https://example.com/dav/?token=1"));
  assert.notEqual(await identity("https://a/", "files"), await identity("https://b/", "files"));
});
