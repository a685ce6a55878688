// Writing one file of a WebDAV server, on a condition.
import assert from "node:assert/strict";
import { test } from "node:test";
import { WebDavStore } from "@koprs/external/stores/webdav";
import { encode, file, isStoreError, multistatus } from "./_webdav.ts";

interface Manners {
  /** Whether `If-Match` counts on a file that is there, and on one that is not. */
  readonly match?: boolean;
  readonly matchMissing?: boolean;
  /** Whether `If-None-Match` counts. */
  readonly none?: boolean;
  /** For how many PROPFINDs a new ETag is weak. */
  readonly weak?: number;
}

/** A server in memory that heeds conditions or, as many do, does not. */
class Server {
  readonly files = new Map<string, string>();
  readonly requests: string[] = [];
  readonly store: WebDavStore;
  /** Answers to come first. */
  readonly first: (number | Error)[] = [];
  readonly #manners: Manners;
  #version = 0;
  #weak = 0;

  constructor(manners: Manners = {}) {
    this.#manners = manners;
    this.store = new WebDavStore("http://localhost/dav/", {
      fetch: (input, init) => Promise.resolve().then(() => this.#answer(input, init)),
    });
  }

  /** The requests for one file. */
  asked(path: string): string[] {
    return this.requests.filter((request) => request.endsWith(path));
  }

  #answer(input: URL | RequestInfo, init: RequestInit = {}): Response {
    const { pathname } = new URL(String(input));
    this.requests.push(`${init.method} ${pathname}`);
    init.signal?.throwIfAborted();
    const next = this.first.shift();
    if (next instanceof Error) throw next;
    if (next !== undefined) return new Response(null, { status: next });
    const etag = this.files.get(pathname);
    if (init.method === "DELETE") {
      return new Response(null, { status: this.files.delete(pathname) ? 204 : 404 });
    }
    if (init.method === "PROPFIND") {
      if (etag === undefined) return new Response(null, { status: 404 });
      const weak = this.#weak > 0;
      this.#weak--;
      return new Response(multistatus(file(pathname, weak ? `W/${etag}` : etag)), { status: 207 });
    }
    return this.#put(pathname, new Headers(init.headers), etag);
  }

  #put(path: string, headers: Headers, etag: string | undefined): Response {
    const { match = true, matchMissing = match, none = true, weak = 0 } = this.#manners;
    const ifMatch = headers.get("if-match");
    const strong = this.#weak > 0 ? undefined : etag;
    const heeds = etag === undefined ? matchMissing : match;
    const refused = heeds && ifMatch !== null && ifMatch !== strong ||
      none && headers.has("if-none-match") && etag !== undefined;
    if (refused) return new Response(null, { status: 412 });
    const next = `"${++this.#version}"`;
    this.files.set(path, next);
    if (!path.includes("/.koprs-")) this.#weak = weak;
    return new Response(null, { status: etag === undefined ? 201 : 204, headers: { etag: next } });
  }
}

const body = encode("x");

test("put writes on a condition, if the server heeds conditions", async () => {
  const { files, store } = new Server();
  const { etag = "" } = await store.put("a b", body, { ifNoneMatch: "*" });
  assert.equal(etag, files.get("/dav/a%20b"));
  await assert.rejects(
    store.put("a b", body, { ifNoneMatch: "*" }),
    isStoreError(/condition/, 412),
  );
  const second = await store.put("a b", body, { ifMatch: etag });
  await assert.rejects(store.put("a b", body, { ifMatch: etag }), isStoreError(/condition/, 412));
  await assert.rejects(store.put("c", body, { ifMatch: etag }), isStoreError(/condition/, 412));
  assert.notEqual(second.etag, etag);
  // As a listing without quotes has it, and as one has it that is not sure yet.
  const third = await store.put("a b", body, { ifMatch: second.etag?.slice(1, -1) ?? "" });
  await store.put("a b", body, { ifMatch: `W/${third.etag}` });
  assert.deepEqual([...files.keys()], ["/dav/a%20b"], "nothing else is left");
});

test("put writes nothing on a condition that the server does not heed", async () => {
  for (const manners of [{ match: false }, { none: false }, { matchMissing: false }]) {
    const { files, store } = new Server(manners);
    await assert.rejects(
      store.put("a", body, { ifNoneMatch: "*" }),
      isStoreError(/ignores conditions/),
    );
    await assert.rejects(
      store.put("a", body, { ifMatch: '"1"' }),
      isStoreError(/ignores conditions/),
    );
    assert.deepEqual([...files.keys()], []);
    await store.put("a", body);
    assert.deepEqual([...files.keys()], ["/dav/a"]);
  }
});

test("whether the server heeds conditions is asked once", async () => {
  const server = new Server();
  const { store } = server;
  await Promise.all(["a", "b", "c"].map((key) => store.put(key, body, { ifNoneMatch: "*" })));
  await store.put("d", body, { ifNoneMatch: "*" });
  const probes = server.requests.filter((request) => request.includes("/.koprs-"));
  assert.deepEqual(probes.map((request) => request.split(" ")[0]), [
    "PUT",
    "PUT",
    "PUT",
    "PUT",
    "DELETE",
  ]);
  assert.equal(new Set(probes.map((request) => request.split(" ")[1])).size, 1);
});

test("a question that fails once is asked again", async () => {
  for (const failure of [503, new Error("reset")]) {
    for (const before of [0, 1, 2, 3]) {
      const server = new Server();
      server.first.push(...[412, 201, 412].slice(0, before), failure);
      await assert.rejects(server.store.put("a", body, { ifNoneMatch: "*" }), /Cannot put/);
      assert.deepEqual([...server.files.keys()], []);
      const { etag } = await server.store.put("a", body, { ifNoneMatch: "*" });
      assert.deepEqual([...server.files], [["/dav/a", etag]]);
    }
  }
});

test("who waits for the question of another is not told of the other's abort", async () => {
  const server = new Server();
  const controller = new AbortController();
  const { signal } = controller;
  const one = server.store.put("a", body, { ifNoneMatch: "*", signal });
  const two = server.store.put("b", body, { ifNoneMatch: "*" });
  controller.abort(new Error("enough"));
  await assert.rejects(one, /enough/);
  await two;
  assert.deepEqual([...server.files.keys()], ["/dav/b"]);
});

test("a tag that is weak for a second is waited for", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const run = async (weak: number) => {
    const server = new Server({ weak });
    const { etag = "" } = await server.store.put("a", body, { ifNoneMatch: "*" });
    const settled = server.store.put("a", body, { ifMatch: etag }).then(
      () => "written",
      (error) => error,
    );
    let result: unknown;
    settled.then((value) => result = value);
    for (let turns = 0; result === undefined && turns < 1_000; turns++) {
      await new Promise((resolve) => setImmediate(resolve));
      t.mock.timers.tick(100);
    }
    return { result, asked: server.asked("/dav/a") };
  };
  const { result, asked } = await run(2);
  assert.equal(result, "written");
  assert.deepEqual(asked.slice(1).map((request) => request.split(" ")[0]), [
    ...["PUT", "PROPFIND", "PUT", "PROPFIND", "PUT"],
  ]);
  assert.ok(isStoreError(/weak/)((await run(100)).result));
});

test("an answer that is no success is an error", async () => {
  for (
    const [status, wanted] of [[409, /does its folder exist/], [403, /answered 403/], [
      507,
      /507/,
    ]] as const
  ) {
    const server = new Server();
    server.first.push(status);
    await assert.rejects(server.store.put("a", body), isStoreError(wanted, status));
  }
  const { store, requests } = new Server();
  await assert.rejects(store.put("a", body, { ifMatch: 'a "b"' }), isStoreError(/not an ETag/));
  for (const key of ["", "a//b", "../a", "a/"]) {
    await assert.rejects(store.put(key, body), isStoreError(/not a valid key/));
  }
  assert.deepEqual(requests, []);
});
