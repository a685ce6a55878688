// Pages of Azure as its client hands them over: parsed by itself, and as bytes past its parser.
import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { AzureStore } from "../../stores/azure.ts";
import { serve } from "../http/_http_server.ts";
import { azure, failure, objectsOf } from "./_clouds.ts";

const TIME = Date.UTC(2026, 10, 23, 4, 23, 46);
const properties = { etag: "0x1", contentLength: 3, lastModified: new Date(TIME) };

/** A store on a client that parses its pages itself. */
function storeOf(answers: readonly unknown[]): AzureStore {
  return new AzureStore({
    url: "https://me.blob.core.windows.net/c",
    accountName: "me",
    containerName: "c",
    getBlockBlobClient: () => {},
    listBlobsFlat: () => ({
      async *byPage({ continuationToken = "0" }: { continuationToken?: string }) {
        yield await Promise.resolve(answers[Number(continuationToken)]);
      },
    }),
  } as never);
}

test("pages that the client has parsed itself are taken like the others", async () => {
  const pages = [
    { continuationToken: "1", segment: { blobItems: [{ name: "a", properties }] } },
    { continuationToken: "2", segment: { blobItems: [] } },
    {
      continuationToken: "",
      segment: {
        blobItems: [
          { name: "b", properties: { ...properties, resourceType: "directory" } },
          { name: "c", properties, deleted: true },
          { name: "d", properties, snapshot: "2026" },
          { name: "e", properties: { ...properties, etag: '"0x2"' } },
        ],
      },
    },
  ];
  const object = { key: "a", size: 3, etag: '"0x1"', lastModified: TIME };
  assert.deepEqual(await Array.fromAsync(storeOf(pages).list()), [
    [object],
    [],
    [{ ...object, key: "e", etag: '"0x2"' }],
  ]);
});

test("what the client gives and is no page is an error", async () => {
  const bare = { name: "a", properties: { etag: "0x1" } };
  for (const wrong of [undefined, {}, { segment: {} }, { segment: { blobItems: [bare] } }]) {
    const error = await failure("protocol", Array.fromAsync(storeOf([wrong]).list()));
    assert.match(error.message, /not a complete listing/);
  }
});

test("names that XML cannot hold, and one with a carriage return, come through the client", async (t) => {
  const keys = ["\u0001\u0002", "\uffff", "return\r", "a&b"];
  const names = [
    ...keys.slice(0, 2).map((key) => `<Name Encoded="true">${encodeURIComponent(key)}</Name>`),
    "<Name>return&#xD;</Name>",
    "<Name>a&amp;b</Name>",
  ];
  const { origin } = await serve(t, (_request, response) => {
    let nth = 0;
    const page = azure.page(keys.map(() => ({ key: "k" })));
    response.writeHead(200, { "content-type": azure.type });
    response.end(page.replaceAll("<Name>k</Name>", () => names[nth++] ?? ""));
  });
  assert.deepEqual((await objectsOf(azure.store(origin))).map(({ key }) => key), keys);
});

test("a page whose body breaks once is had by the client's next try", async (t) => {
  const { origin, requests } = await serve(t, (_request, response, nth) => {
    const page = azure.page([{ key: "a" }]);
    response.writeHead(200, { "content-type": azure.type, "content-length": page.length });
    if (nth > 1) response.end(page);
    else response.write(page.slice(0, 30), () => response.destroy());
  });
  assert.equal((await objectsOf(azure.store(origin, {}, "default"))).length, 1);
  assert.equal(requests.length, 2);
});

test("a timeout says why the try before failed", async (t) => {
  // The client waits four seconds between its second and its third try.
  const { origin } = await serve(t, (_request, response) => {
    response.writeHead(503, { "content-type": azure.type, "retry-after": "9" });
    response.end(azure.error(503, "ServerBusy", "Slow down."));
  });
  const store = azure.store(origin, { timeout: 200 }, "default");
  const { message, status, retryAfter } = await failure("timeout", store.list().next());
  assert.match(message, /within 200 ms, and the try before failed: the server answered 503; see/);
  assert.deepEqual([status, retryAfter], [503, 9_000]);
});

test("a content that comes after the abort is dropped", async () => {
  // A client that does not heed the signal.
  const stream = new PassThrough();
  const answering = Promise.withResolvers<unknown>();
  const store = new AzureStore({
    url: "https://me.blob.core.windows.net/c",
    accountName: "me",
    containerName: "c",
    getBlockBlobClient: () => ({ download: () => answering.promise }),
    listBlobsFlat: () => {},
  } as never);
  const controller = new AbortController();
  const getting = store.get("k", { signal: controller.signal });
  const stop = new Error("enough");
  controller.abort(stop);
  await assert.rejects(getting, (error) => error === stop);
  const closed = new Promise((resolve) => stream.once("close", resolve));
  answering.resolve({ readableStreamBody: stream, etag: "0x1" });
  await closed;
});
