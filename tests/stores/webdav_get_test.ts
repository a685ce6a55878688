// Reading one file of a WebDAV server.
import assert from "node:assert/strict";
import { test } from "node:test";
import { WebDavStore } from "@koprs/external/stores/webdav";
import { encode, file, isStoreError, multistatus, storeOf } from "./_webdav.ts";

interface Server {
  /** The ETag in the answer to a GET. */
  readonly sent?: string;
  /** The ETag in the answer to a PROPFIND. */
  readonly listed?: string;
  /** What a GET with a condition is answered, if not 200. */
  readonly refused?: number;
}

/** A store on a server, and the requests that it gets: their methods and conditions. */
function server({ sent, listed, refused }: Server) {
  const requests: string[] = [];
  let open = 0;
  const store = new WebDavStore("http://localhost/dav/", {
    fetch: (_input, init) => {
      const condition = new Headers(init?.headers).get("if-match");
      const depth = new Headers(init?.headers).get("depth");
      requests.push(
        `${init?.method} ${condition ?? (depth === null ? "" : `depth ${depth}`)}`.trim(),
      );
      if (init?.method === "PROPFIND") {
        const status = listed === undefined ? 404 : 207;
        const body = listed === undefined ? null : multistatus(file("/dav/a", listed));
        return Promise.resolve(new Response(body, { status }));
      }
      if (condition !== null && refused !== undefined) {
        return Promise.resolve(new Response(null, { status: refused }));
      }
      open++;
      const body = new ReadableStream<Uint8Array>({
        pull(controller) {
          controller.enqueue(encode("body"));
          controller.close();
          open--;
        },
        cancel: () => void open--,
      }, { highWaterMark: 0 });
      return Promise.resolve(
        new Response(body, sent === undefined ? {} : { headers: { etag: sent } }),
      );
    },
  });
  const get = async (ifMatch: string) => {
    try {
      return await new Response(await store.get("a", { ifMatch })).text();
    } finally {
      assert.equal(open, 0, "no body is left unread");
    }
  };
  return { get, requests };
}

test("the ETag of the answer tells where If-Match is not heeded", async () => {
  for (
    const [sent, ifMatch] of [['"1"', '"1"'], ['W/"1"', '"1"'], ['"1"', 'W/"1"'], ['"1"', "1"], [
      "1",
      '"1"',
    ]]
  ) {
    const { get, requests } = server({ sent });
    assert.equal(await get(ifMatch ?? ""), "body", `${sent} ${ifMatch}`);
    assert.deepEqual(requests, ['GET "1"']);
  }
  for (const [sent, ifMatch] of [['"2"', '"1"'], ['W/"2"', '"1"'], ['"2"', 'W/"1"'], ["2", "1"]]) {
    const { get, requests } = server({ sent });
    await assert.rejects(get(ifMatch ?? ""), isStoreError(/changed/, 412), `${sent} ${ifMatch}`);
    assert.deepEqual(requests, ['GET "1"']);
  }
});

test("a tag that can be no condition is compared with that of the answer", async () => {
  const { get, requests } = server({ sent: 'a "b"' });
  assert.equal(await get('a "b"'), "body");
  await assert.rejects(get("a b"), isStoreError(/changed/, 412));
  assert.deepEqual(requests, ["GET", "GET"]);
});

test("a server that refuses its own weak tag is asked once more without the condition", async () => {
  const same = server({ sent: 'W/"1"', refused: 412 });
  assert.equal(await same.get('"1"'), "body");
  assert.deepEqual(same.requests, ['GET "1"', "GET"]);
  const other = server({ sent: 'W/"2"', refused: 412 });
  await assert.rejects(other.get('"1"'), isStoreError(/changed/, 412));
  const broken = server({ sent: '"1"', refused: 503 });
  await assert.rejects(broken.get('"1"'), isStoreError(/answered 503/, 503));
  assert.deepEqual(broken.requests, ['GET "1"']);
  const gone = server({ sent: '"1"', refused: 404 });
  await assert.rejects(gone.get('"1"'), isStoreError(/does not exist/, 404));
});

test("where the answer has no ETag, the properties tell", async () => {
  const same = server({ listed: 'W/"1"' });
  assert.equal(await same.get('"1"'), "body");
  assert.deepEqual(same.requests, ['GET "1"', "PROPFIND depth 0"]);
  await assert.rejects(server({ listed: '"2"' }).get('"1"'), isStoreError(/changed/, 412));
  await assert.rejects(server({ listed: "" }).get('"1"'), isStoreError(/not tell its ETag/));
  await assert.rejects(server({}).get('"1"'), isStoreError(/not tell its ETag/));
});

test("a body compressed unasked is refused, and not left unread", async () => {
  let cancelled = 0;
  const store = (headers: HeadersInit) =>
    new WebDavStore("http://localhost/dav/", {
      headers,
      fetch: () => {
        const body = new ReadableStream({ cancel: () => void cancelled++ });
        return Promise.resolve(new Response(body, { headers: { "content-encoding": "gzip" } }));
      },
    });
  await assert.rejects(store({}).get("a"), isStoreError(/Content-Encoding 'gzip'/));
  assert.equal(cancelled, 1);
  await (await store({ "accept-encoding": "gzip" }).get("a")).cancel();
});

test("a Content-Encoding that is no coding is plain content", async () => {
  for (
    const coding of ["identity", "aws-chunked", "utf-8", "binary", "none", "identity, identity"]
  ) {
    const store = new WebDavStore("http://localhost/dav/", {
      fetch: () =>
        Promise.resolve(new Response("plain", { headers: { "content-encoding": coding } })),
    });
    assert.equal(await new Response(await store.get("a")).text(), "plain", coding);
  }
});

test("a key that no file can have is not asked for", async () => {
  const { store, requests } = storeOf({});
  for (const key of ["", "/a", "a/", "a//b", "..", "a/../b", "./a", "\ud800"]) {
    await assert.rejects(store.get(key), isStoreError(/does not exist/, 404), key);
  }
  assert.deepEqual(requests, []);
});
