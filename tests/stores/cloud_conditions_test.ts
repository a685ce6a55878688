// The conditions of reads and writes, as they are sent, and with a server that ignores them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { serve } from "../http/_http_server.ts";
import { azure, clouds, failure, gcs, queryOf } from "./_clouds.ts";
import type { IncomingMessage } from "node:http";

const bytes = new TextEncoder().encode("content");

/** What a request demands of the object: its version, "none", or nothing. */
const demanded: Readonly<Record<string, (request: IncomingMessage) => string | undefined>> = {
  [gcs.title]: (request) => {
    const generation = queryOf(request).get("ifGenerationMatch");
    return generation === "0" ? "none" : generation ?? undefined;
  },
  [azure.title]: ({ headers }) =>
    headers["if-none-match"] === "*" ? "none" : headers["if-match"] as string | undefined,
};

for (const cloud of clouds) {
  test(`${cloud.title}: conditions are sent`, async (t) => {
    const demands: (string | undefined)[] = [];
    const { origin } = await serve(t, (request, response) => {
      demands.push(demanded[cloud.title]?.(request));
      request.resume().on("end", () => {
        const write = request.method !== "GET";
        const body = write ? cloud.writtenBody(7) : "content";
        response.writeHead(write ? cloud.written : 200, {
          ...cloud.headers(7),
          "content-type": write ? cloud.type : "text/plain",
          "content-length": body.length,
        }).end(body);
      });
    });
    const store = cloud.store(origin);
    const text = async (ifMatch?: string) =>
      await new Response(await store.get("k", ifMatch === undefined ? {} : { ifMatch })).text();
    assert.equal(await text(), "content");
    assert.equal(await text(cloud.etag(7)), "content");
    assert.deepEqual(await store.put("k", bytes), { etag: cloud.etag(7) });
    assert.deepEqual(await store.put("k", bytes, { ifMatch: cloud.etag(6) }), {
      etag: cloud.etag(7),
    });
    assert.deepEqual(await store.put("k", bytes, { ifNoneMatch: "*" }), { etag: cloud.etag(7) });
    assert.deepEqual(demands, [undefined, cloud.etag(7), undefined, cloud.etag(6), "none"]);
  });

  test(`${cloud.title}: a server that ignores the condition of a read is found out`, async (t) => {
    const closed = Promise.withResolvers<void>();
    const { origin } = await serve(t, (request, response) => {
      request.socket.once("close", () => closed.resolve());
      response.writeHead(200, { ...cloud.headers(8), "content-length": 100 }).write("other");
    });
    const { status, message } = await failure(
      "store",
      cloud.store(origin).get("k", { ifMatch: cloud.etag(7) }),
    );
    assert.equal(status, 412);
    assert.ok(message.endsWith(`the object has another ETag by now, ${cloud.etag(8)}`), message);
    await closed.promise;
  });

  test(`${cloud.title}: a write that leaves the ETag as it was is found out`, async (t) => {
    const { origin } = await serve(t, (request, response) => {
      request.resume().on("end", () => {
        response.writeHead(cloud.written, { ...cloud.headers(7), "content-type": cloud.type })
          .end(cloud.writtenBody(7));
      });
    });
    const writing = cloud.store(origin).put("k", bytes, { ifMatch: cloud.etag(7) });
    assert.match((await failure("protocol", writing)).message, /ignores conditions of writes$/);
  });

  test(`${cloud.title}: a part of an object is not taken for the whole`, async (t) => {
    const { origin } = await serve(t, (_request, response) => {
      response.writeHead(206, {
        ...cloud.headers(7),
        "content-length": 4,
        "content-range": "bytes 0-3/7",
      }).end("cont");
    });
    await assert.rejects(cloud.store(origin).get("k"), /206|bytes 0-3\/7/);
  });
}

test("GcsStore: an ETag that is no generation is refused before it is sent", async (t) => {
  const { origin, requests } = await serve(t, (_request, response) => response.end());
  const store = gcs.store(origin);
  for (const ifMatch of ["", "*", '"7"', "7&x=1", "0x7"]) {
    await assert.rejects(store.get("k", { ifMatch }), /must be the ETag of an event/);
    await assert.rejects(store.put("k", bytes, { ifMatch }), /must be the ETag of an event/);
  }
  assert.equal(requests.length, 0);
});

for (const [status, code] of [[412, "ConditionNotMet"], [409, "BlobAlreadyExists"]] as const) {
  test(`AzureStore: a write that finds a blob there already fails with 412, told as ${status}`, async (t) => {
    const { origin } = await serve(t, (request, response) => {
      request.resume().on("end", () => {
        response.writeHead(status, { "content-type": azure.type, "x-ms-error-code": code })
          .end(azure.error(status, code, "The blob is there."));
      });
    });
    const store = azure.store(origin);
    const created = await failure("store", store.put("k", bytes, { ifNoneMatch: "*" }));
    assert.equal(created.status, 412);
    // Any other conflict stays one, such as that with a blob that is being copied.
    assert.equal((await failure("store", store.put("k", bytes))).status, status);
  });
}

test("AzureStore: an ETag without its quotes is the same", async (t) => {
  const { origin } = await serve(t, (_request, response) => {
    response.writeHead(200, { ...azure.headers(7), "content-length": 7 }).end("content");
  });
  const content = await azure.store(origin).get("k", { ifMatch: "0x7" });
  assert.equal(await new Response(content).text(), "content");
});
