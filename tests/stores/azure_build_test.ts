// Answers as other builds of Azure's client give them, and what is made of those that are none.
import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { AzureStore } from "../../stores/azure.ts";
import { azure, failure } from "./_clouds.ts";

interface Answer {
  readonly status: number;
  readonly headers?: { set(name: string, value: string): void };
  bodyAsText?: string;
  readonly blobBody?: Promise<Blob>;
}
interface Request {
  streamResponseStatusCodes?: Set<number> | undefined;
}
interface Policy {
  sendRequest(request: Request, next: (request: Request) => Promise<Answer>): Promise<Answer>;
}

/** A client with a pipeline whose answers are these, and what its own parser was given of each. */
function listing(...answers: Answer[]) {
  const parsed: (string | undefined)[] = [];
  const codes = new Set([200]);
  const client = {
    url: "https://me.blob.core.windows.net/c",
    accountName: "me",
    containerName: "c",
    getBlockBlobClient: () => {},
    containerContext: {
      client: {
        pipeline: {
          policies: [] as Policy[],
          clone: () => ({
            policies: [] as Policy[],
            addPolicy(policy: Policy) {
              this.policies.push(policy);
            },
          }),
          addPolicy: () => assert.fail("the client is not changed"),
        },
      },
    },
    listBlobsFlat() {
      const [policy] = this.containerContext.client.pipeline.policies;
      const next = async () => {
        const request: Request = { streamResponseStatusCodes: codes };
        const response = await policy?.sendRequest(request, ({ streamResponseStatusCodes }) => {
          assert.ok(streamResponseStatusCodes?.has(Infinity), "whatever the status");
          return Promise.resolve(answers.shift() as Answer);
        });
        assert.equal(request.streamResponseStatusCodes, codes);
        parsed.push(response?.bodyAsText);
        if ((response?.status ?? 0) >= 400) {
          const failure = new Error(response?.bodyAsText);
          throw Object.assign(failure, { statusCode: response?.status });
        }
        return { done: false, value: undefined };
      };
      return { byPage: () => ({ next }) };
    },
  };
  return { store: new AzureStore(client as never), parsed };
}

const blob = (text: string) => Promise.resolve(new Blob([text]));

test("a page that comes as a Blob or as a text is read past the client's parser", async () => {
  const types: string[] = [];
  const headers = { set: (name: string, value: string) => void types.push(`${name}: ${value}`) };
  const first = azure.page([{ key: "a" }], "next");
  const { store, parsed } = listing(
    { status: 200, headers, blobBody: blob(first) },
    { status: 200, bodyAsText: azure.page([{ key: "b" }]) },
  );
  const pages = await Array.fromAsync(store.list());
  assert.deepEqual(pages.map((page) => page.map(({ key }) => key)), [["a"], ["b"]]);
  for (const text of parsed) assert.match(text ?? "", /<Blobs \/><NextMarker \/>/);
  assert.deepEqual(types, ["content-type: application/xml"]);
});

test("an error that comes as a Blob is given to the client as a text", async () => {
  const { store, parsed } = listing({ status: 503, blobBody: blob("busy") });
  const error = await failure("store", store.list().next());
  assert.equal(error.status, 503);
  assert.match(error.message, /: busy$/);
  assert.deepEqual(parsed, ["busy"]);
});

test("a page of which nothing can be had but what the client parsed is that", async () => {
  const { store } = listing({ status: 200 });
  const { message } = await failure("protocol", store.list().next());
  assert.match(message, /not a complete listing: a page without blobs/);
});

/** A store on a client of one blob. */
function blobs(blob: object): { store: AzureStore; asked: string[] } {
  const asked: string[] = [];
  const client = {
    url: "https://me.blob.core.windows.net/c",
    accountName: "me",
    containerName: "c",
    listBlobsFlat: () => {},
    getBlockBlobClient: (name: string) => (asked.push(name), blob),
  };
  return { store: new AzureStore(client as never), asked };
}

test("a content that comes as a Blob is streamed, if it is of the ETag", async () => {
  const download = () => Promise.resolve({ blobBody: blob("content"), etag: "0x1" });
  const { store } = blobs({ download });
  const read = async (ifMatch?: string) =>
    await new Response(await store.get("k", ifMatch === undefined ? {} : { ifMatch })).text();
  for (const ifMatch of [undefined, '"0x1"', "0x1"]) assert.equal(await read(ifMatch), "content");
  assert.equal((await failure("store", read('"0x2"'))).status, 412);
});

test("a client that gives no content, or a part of it, fails the read", async () => {
  const none = blobs({ download: () => Promise.resolve({}) });
  assert.match((await failure("store", none.store.get("k"))).message, /the client gave no body/);
  const stream = new PassThrough();
  const part = blobs({
    download: () => Promise.resolve({ readableStreamBody: stream, contentRange: "bytes 0-1/9" }),
  });
  const { message } = await failure("store", part.store.get("k"));
  assert.match(message, /only a part of the blob: bytes 0-1\/9$/);
  assert.equal(stream.destroyed, true);
});

test("a name that a URL would change is not asked for", async () => {
  const { store, asked } = blobs({});
  for (const key of [".", "..", "a/./b", "a/../b", "../a", "a/..", "a\\..\\b"]) {
    for (const call of [() => store.get(key), () => store.put(key, new Uint8Array())]) {
      assert.match((await failure("store", call())).message, /cannot be reached by a URL/, key);
    }
  }
  assert.deepEqual(asked, []);
});

test("a blob that exists already is a condition that does not hold, if that was one", async () => {
  const refusal = (more: object) =>
    blobs({
      upload: () => Promise.reject(Object.assign(new Error("no"), { statusCode: 409, ...more })),
    }).store;
  const status = async (more: object, options: object) =>
    (await failure("store", refusal(more).put("k", new Uint8Array(), options))).status;
  const none = { ifNoneMatch: "*" };
  assert.equal(await status({ code: "BlobAlreadyExists" }, none), 412);
  assert.equal(await status({ details: { errorCode: "BlobAlreadyExists" } }, none), 412);
  assert.equal(await status({ code: "BlobAlreadyExists" }, {}), 409);
  assert.equal(await status({ code: "LeaseIdMissing" }, none), 409);
  assert.equal(await status({}, none), 409);
});

test("a write gives the ETag in quotes, or none where the client has none", async () => {
  const written = async (answer: object) =>
    await blobs({ upload: () => Promise.resolve(answer) }).store.put("k", new Uint8Array());
  assert.deepEqual(await written({ etag: "0x1" }), { etag: '"0x1"' });
  assert.deepEqual(await written({ etag: '"0x1"' }), { etag: '"0x1"' });
  assert.deepEqual(await written({}), {});
});

test("a connection that is cut while a blob is read is a failure of the network", async () => {
  const cut = Object.assign(new Error("The operation was aborted."), { name: "AbortError" });
  const { store } = blobs({ download: () => Promise.reject(cut) });
  const { message } = await failure("network", store.get("k"));
  assert.match(message, /the connection was closed early$/);
  const told = blobs({ download: () => Promise.reject(Object.assign(cut, { statusCode: 500 })) });
  assert.equal((await failure("store", told.store.get("k"))).status, 500);
});
