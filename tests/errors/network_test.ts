// What is a connection that failed, and what is an answer that did.
import assert from "node:assert/strict";
import { test } from "node:test";
import { S3 } from "@aws-sdk/client-s3";
import { AnonymousCredential, ContainerClient } from "@azure/storage-blob";
import { Storage } from "@google-cloud/storage";
import { isNetworkFailure } from "../../_errors/network.ts";
import { type Scope, serve } from "../http/_http_server.ts";
import { freePort } from "../servers/ports.ts";

const withCode = (code: unknown, more = {}) =>
  Object.assign(new Error("failed"), { code, ...more });

test("a code of the system or of a client is one, wherever in the causes it is", () => {
  for (
    const code of [
      "ECONNREFUSED",
      "ECONNRESET",
      "EPIPE",
      "ENOTFOUND",
      "EAI_AGAIN",
      "ETIMEDOUT",
      "EHOSTUNREACH",
      "ERR_STREAM_PREMATURE_CLOSE",
      "UND_ERR_SOCKET",
      "ConnectionRefused",
      "REQUEST_SEND_ERROR",
    ]
  ) {
    assert.ok(isNetworkFailure(withCode(code)), code);
    assert.ok(isNetworkFailure(new Error("outer", { cause: withCode(code) })), code);
    assert.ok(isNetworkFailure(new AggregateError([withCode(code)])), code);
  }
});

test("a name, or a message of fetch, is one as well", () => {
  assert.ok(isNetworkFailure(Object.assign(new Error("failed"), { name: "ConnectionClosed" })));
  const messages = [
    "error sending request for url (http://h/)",
    "error reading a body from connection",
    "the peer is gone (os error 104)",
    "Failed to fetch",
    "Load failed",
    "NetworkError when attempting to fetch resource.",
  ];
  for (const message of messages) {
    assert.ok(isNetworkFailure(new TypeError(message)), message);
    assert.ok(isNetworkFailure(new TypeError("failed", { cause: { message } })), message);
    assert.ok(!isNetworkFailure(new Error(message)), `no TypeError: ${message}`);
    assert.ok(!isNetworkFailure(new TypeError(`It says: ${message}, and more`)), message);
  }
  const parsed = "Error reading response as text: aborted";
  assert.ok(isNetworkFailure(Object.assign(new Error(parsed), { code: "PARSE_ERROR" })));
  assert.ok(!isNetworkFailure(new Error(parsed)));
});

test("of an aggregate the first error counts, and of a chain the first seven", () => {
  const refused = withCode("ECONNREFUSED");
  assert.ok(!isNetworkFailure(new AggregateError([new Error("first"), refused])));
  let chain: Error = refused;
  for (let above = 1; above <= 6; above++) chain = new Error("outer", { cause: chain });
  assert.ok(isNetworkFailure(chain));
  assert.ok(!isNetworkFailure(new Error("outer", { cause: chain })));
});

test("what is none", () => {
  const loop = new Error("loop");
  loop.cause = loop;
  for (
    const thrown of [
      undefined,
      null,
      "ECONNREFUSED",
      0,
      {},
      loop,
      new Error("ECONNREFUSED"),
      new TypeError("failed"),
      withCode(404),
      withCode("ENOENT"),
      withCode("AccessDenied"),
      withCode({ toString: () => "ECONNRESET" }),
      Object.create(null) as unknown,
    ]
  ) {
    assert.ok(!isNetworkFailure(thrown), describe(thrown));
  }
});

/** One request through each client, tried once. */
const clients: Readonly<Record<string, (origin: string) => Promise<unknown>>> = {
  "fetch": async (origin) => await (await fetch(origin)).text(),
  "S3": async (endpoint) => {
    const credentials = { accessKeyId: "a", secretAccessKey: "b" };
    const client = new S3({ endpoint, region: "r", credentials, maxAttempts: 1 });
    await client.listObjectsV2({ Bucket: "b" }).finally(() => client.destroy());
  },
  "Google": (apiEndpoint) =>
    new Storage({ apiEndpoint, projectId: "p", retryOptions: { autoRetry: false } }).bucket("b")
      .getFiles({ autoPaginate: false }),
  "Azure": async (origin) => {
    const options = { retryOptions: { maxTries: 1 } };
    const client = new ContainerClient(`${origin}/a/c`, new AnonymousCredential(), options);
    await client.listBlobsFlat().byPage().next();
  },
};

/** Origins where a connection fails in a known way, and one where an answer does. */
const places: Readonly<Record<string, (scope: Scope) => Promise<string>>> = {
  "refused": async () => `http://127.0.0.1:${await freePort()}`,
  "unknown": () => Promise.resolve("http://name.invalid"),
  "reset": async (scope) =>
    (await serve(scope, (request) => request.socket.resetAndDestroy())).origin,
  "closed": async (scope) => (await serve(scope, (request) => request.socket.destroy())).origin,
  "cut": async (scope) =>
    (await serve(scope, (_request, response) => {
      response.writeHead(200, { "content-length": 100, "content-type": "application/json" });
      response.write("{", () => setTimeout(() => response.destroy(), 10));
    })).origin,
};

for (const [name, call] of Object.entries(clients)) {
  for (const [how, place] of Object.entries(places)) {
    test(`${name}: a connection that is ${how}`, async (t) => {
      const thrown: unknown = await call(await place(t)).then(
        () => assert.fail("nothing failed"),
        (error) => error,
      );
      assert.ok(isNetworkFailure(thrown), describe(thrown));
    });
  }

  if (name === "fetch") continue; // It does not throw for an answer.
  test(`${name}: an answer that is an error is none`, async (t) => {
    const { origin } = await serve(t, (_request, response) => {
      response.writeHead(403, { "content-type": "application/xml" }).end("<Error/>");
    });
    const thrown: unknown = await call(origin).then(
      () => assert.fail("nothing failed"),
      (error) => error,
    );
    assert.ok(!isNetworkFailure(thrown), describe(thrown));
  });
}

/** An error with all that tells its kind. */
function describe(thrown: unknown, depth = 0): string {
  if (!(thrown instanceof Error) || depth > 4) return typeof thrown;
  const { code, errno, type } = thrown as { code?: unknown; errno?: unknown; type?: unknown };
  const cause = thrown.cause === undefined ? "" : ` <- ${describe(thrown.cause, depth + 1)}`;
  return `${thrown.name} ${JSON.stringify({ code, errno, type })} ${thrown.message}${cause}`;
}
