// How much the stores of Google Cloud Storage and Azure take of a server: bytes of a page and of an error, pages of a listing.
import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { AzureStore } from "../../stores/azure.ts";
import { GcsStore } from "../../stores/gcs.ts";
import { serve } from "../http/_http_server.ts";
import { clouds, failure, gcs } from "./_clouds.ts";

const timeout = 60_000;
const MIB = 1024 * 1024;

/** Sends blanks for as long as somebody takes them, and counts them. */
function sendWithoutEnd(response: ServerResponse): { readonly sent: () => number } {
  let sent = 0;
  const blanks = new Uint8Array(64 * 1024).fill(0x20);
  const more = () => {
    while (!response.destroyed && response.write(blanks)) sent += blanks.length;
    sent += blanks.length;
  };
  response.on("drain", more);
  more();
  return { sent: () => sent };
}

for (const cloud of clouds) {
  test(`${cloud.title}: a page without end is an error`, { timeout }, async (t) => {
    const closed = Promise.withResolvers<void>();
    let sent = () => 0;
    const { origin } = await serve(t, (request, response) => {
      request.socket.once("close", () => closed.resolve());
      response.writeHead(200, { "content-type": cloud.type });
      ({ sent } = sendWithoutEnd(response));
    });
    const { message } = await failure("too-large", cloud.store(origin).list().next());
    assert.equal(
      message,
      `Cannot list '${cloud.name}' as a page has more than ${32 * MIB} bytes: ` +
        "check where the client sends requests",
    );
    await closed.promise;
    assert.ok(sent() < 64 * MIB, `${sent()} bytes`);
  });

  test(`${cloud.title}: an error without end is cut`, { timeout }, async (t) => {
    let sent: () => number = () => 0;
    const { origin } = await serve(t, (_request, response) => {
      response.writeHead(403, { "content-type": "text/plain" });
      ({ sent } = sendWithoutEnd(response));
    });
    const store = cloud.store(origin);
    for (const call of [() => store.list().next(), () => store.get("a")]) {
      assert.equal((await failure("store", call())).status, 403);
      assert.ok(sent() < 16 * MIB, `${sent()} bytes`);
    }
  });

  test(`${cloud.title}: a page in chunks of one byte`, { timeout }, async (t) => {
    const objects = Array.from({ length: 40 }, (_, i) => ({ key: `key-${i}` }));
    const { origin } = await serve(t, async (_request, response) => {
      response.writeHead(200, { "content-type": cloud.type });
      for (const byte of cloud.page(objects)) {
        response.write(byte);
        await new Promise((resolve) => setImmediate(resolve));
      }
      response.end();
    });
    const listed = (await Array.fromAsync(cloud.store(origin).list())).flat();
    assert.deepEqual(listed.map(({ key }) => key), objects.map(({ key }) => key));
  });

  test(`${cloud.title}: a page token that comes again is an error`, { timeout }, async (t) => {
    let asked = 0;
    const { origin } = await serve(t, (_request, response) => {
      // A listing that goes on nonetheless would do so for ever.
      assert.ok(++asked < 10, "pages without end");
      response.setHeader("content-type", cloud.type);
      response.end(cloud.page([{ key: `k${asked}` }], `token-${asked % 3}`));
    });
    const { message } = await failure("protocol", Array.fromAsync(cloud.store(origin).list()));
    assert.equal(
      message,
      `Cannot list '${cloud.name}' as the server gave a page token a second time`,
    );
    assert.equal(asked, 4);
  });
}

// Ten thousand pages take too long over a connection: clients that answer by themselves.
const makers = {
  GcsStore: (answer: (nth: number) => string[]) => {
    let nth = 0;
    return new GcsStore({
      name: "place",
      requestStream: () => {
        const keys = answer(++nth).map((key) => ({ key }));
        const stream = new PassThrough();
        setImmediate(() => {
          stream.emit("response", { statusCode: 200, headers: {} });
          stream.end(gcs.page(keys, `token-${nth}`));
        });
        return stream;
      },
      file: () => assert.fail("nothing is written"),
    });
  },
  AzureStore: (answer: (nth: number) => string[]) => {
    let nth = 0;
    const properties = { etag: "0x1", contentLength: 1 };
    return new AzureStore({
      url: "https://account.blob.core.windows.net/place",
      accountName: "account",
      containerName: "place",
      getBlockBlobClient: () => assert.fail("nothing is read"),
      listBlobsFlat: () => ({
        async *byPage() {
          const blobItems = answer(++nth).map((name) => ({ name, properties }));
          yield await Promise.resolve({
            continuationToken: `token-${nth}`,
            segment: { blobItems },
          });
        },
      }),
    });
  },
};

for (const [title, make] of Object.entries(makers)) {
  for (const [what, keys] of [["nothing", []], ["the same key", ["k"]]] as const) {
    test(`${title}: pages without end that bring ${what} are an error`, { timeout }, async () => {
      let pages = 0;
      const store = make(() => {
        assert.ok(++pages < 10_100, "pages without end");
        return [...keys];
      });
      const { message } = await failure("protocol", Array.fromAsync(store.list()));
      assert.match(message, / as 10000 pages in a row brought nothing new$/);
    });
  }

  test(`${title}: empty pages between full ones are no error`, async () => {
    const store = make((nth) => nth % 2 === 0 ? [] : [`k${nth}`]);
    const pages: number[] = [];
    for await (const page of store.list()) {
      if (pages.push(page.length) === 6) break;
    }
    assert.deepEqual(pages, [1, 0, 1, 0, 1, 0]);
  });
}
