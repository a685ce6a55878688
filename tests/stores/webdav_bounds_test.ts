// Every request of a WebDavStore is bounded in time, and every answer in bytes.
import assert from "node:assert/strict";
import { test } from "node:test";
import { WebDavStore } from "@koprs/external/stores/webdav";
import { encode, file, folder, list, multistatus } from "./_webdav.ts";

test("a listing is bounded in bytes, folder by folder", async () => {
  const answer = (path: string, count: number) =>
    multistatus(folder(path), ...Array.from({ length: count }, (_, i) => file(`${path}${i}`)));
  const store = (maxBytes: number) =>
    new WebDavStore("http://localhost/dav/", {
      maxBytes,
      fetch: (input) => {
        const { pathname } = new URL(String(input));
        const root = multistatus(folder("/dav/"), folder("/dav/sub/"));
        const body = pathname === "/dav/" ? root : answer(pathname, 100);
        return Promise.resolve(new Response(body, { status: 207 }));
      },
    });
  assert.equal((await list(store(100_000))).length, 100);
  const tooLarge = { code: "too-large", message: /^Cannot list 'sub\/' in / };
  await assert.rejects(list(store(10_000)), tooLarge);
});

test("every request is bounded in time", async () => {
  /** A server that answers so many requests, and then no more. */
  const store = (answers: readonly Response[]) => {
    const left = [...answers];
    return new WebDavStore("http://localhost/dav/", {
      timeout: 20,
      fetch: () => {
        const next = left.shift();
        return next === undefined ? new Promise(() => {}) : Promise.resolve(next);
      },
    });
  };
  const status = (status: number) => new Response(null, { status });
  const dav = (...responses: string[]) => new Response(multistatus(...responses), { status: 207 });
  const late = { code: "timeout" };
  const body = encode("x");
  await assert.rejects(list(store([])), late);
  await assert.rejects(list(store([dav(folder("/dav/"), folder("/dav/a/"))])), late);
  await assert.rejects(list(store([dav(folder("/dav/"), folder("/dav/a/")), status(404)])), late);
  await assert.rejects(store([]).get("a"), late);
  await assert.rejects(store([status(412)]).get("a", { ifMatch: '"1"' }), late);
  await assert.rejects(store([new Response("x")]).get("a", { ifMatch: '"1"' }), late);
  await assert.rejects(store([]).put("a", body), late);
  const probe = [412, 201, 412, 412, 204].map(status);
  for (let answered = 0; answered < 4; answered++) {
    const asked = store(probe.slice(0, answered)).put("a", body, { ifNoneMatch: "*" });
    await assert.rejects(asked, late, `${answered}`);
  }
  await assert.rejects(store(probe).put("a", body, { ifMatch: '"1"' }), late);
  await assert.rejects(store([...probe, status(412)]).put("a", body, { ifMatch: '"1"' }), late);
});
