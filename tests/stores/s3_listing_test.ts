// Pages of S3Store, on the real client of the SDK: asked for one by one, whole or an error.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type ObjectMeta, ObjectStorePoller } from "@koprs/external/store";
import { S3Store } from "@koprs/external/stores/s3";
import { type Answer, isFault, list, listing, pages, serving } from "./_s3_server.ts";

const timeout = 30_000;

test("pages are asked for one by one, and the client stays as it was", { timeout }, async () => {
  await serving(pages(["p/a", "p/b ü"], ["p/c"], []), async ({ client, requests, store }) => {
    const before = client.middlewareStack.identify();
    const logger = { debug() {}, info() {}, error() {}, warn: assert.fail };
    const all = await Array.fromAsync(store({ logger }).list({ prefix: "p/" }));
    const lastModified = Date.UTC(2026, 10, 23, 4, 5, 6, 789);
    const object = (key: string): ObjectMeta => ({
      key,
      size: 1,
      etag: `"${key.length}"`,
      lastModified,
    });
    assert.deepEqual(all, [[object("p/a"), object("p/b ü")], [object("p/c")], []]);
    assert.deepEqual(requests.map(({ query }) => query.get("continuation-token")), [
      null,
      "1",
      "2",
    ]);
    for (const { query, request } of requests) {
      assert.equal(query.get("list-type"), "2");
      assert.equal(query.get("encoding-type"), "url");
      assert.equal(query.get("prefix"), "p/");
      assert.equal(query.get("max-keys"), "1000");
      assert.match(request.headers.authorization ?? "", /^AWS4-HMAC-SHA256 /);
    }
    assert.deepEqual(client.middlewareStack.identify(), before);
    assert.equal((await client.listObjectsV2({ Bucket: "bkt" })).Contents?.length, 2);
  });
});

test(
  "a range begins behind `after` and ends with the page that passes `until`",
  { timeout },
  async () => {
    await serving(pages(["b", "c"], ["d", "e"], ["f"]), async ({ requests, store }) => {
      assert.deepEqual(await list(store(), { after: "a", until: "d" }), ["b", "c", "d"]);
      assert.equal(requests.length, 2);
      assert.deepEqual(requests.map(({ query }) => query.get("start-after")), ["a", null]);
      // A server that does not know where to begin.
      assert.deepEqual(await list(store(), { after: "d" }), ["e", "f"]);
    });
  },
);

test("pages that do not go on are an error", { timeout }, async () => {
  const always = (xml: string): Answer => (_query, response) => void response.end(xml);
  const noToken = listing(["a"], "x").replace(/<NextC.*Token>/, "");
  await serving(always(noToken), async ({ store }) => {
    await assert.rejects(list(store()), isFault("protocol", /NextContinuationToken/));
  });
  await serving(always(listing(["a"], "x")), async ({ store }) => {
    await assert.rejects(list(store({ ranged: false })), isFault("protocol", /second time/));
  });
  await serving(always(listing(["a"]).replace(/<IsT.*Truncated>/, "")), async ({ store }) => {
    await assert.rejects(list(store()), isFault("protocol", /IsTruncated/));
  });
});

test("pages without end are an error, whatever their tokens", { timeout }, async () => {
  const endless = (...keys: string[]) => {
    let token = 0;
    return new S3Store(
      {
        listObjectsV2: () =>
          Promise.resolve({
            IsTruncated: true,
            NextContinuationToken: `t${token++}`,
            Contents: keys.length === 0 ? [] : [{ Key: keys[token % keys.length] ?? "", Size: 1 }],
          }),
        getObject: () => Promise.resolve({}),
        putObject: () => Promise.resolve({}),
      },
      "bkt",
      { ranged: false },
    );
  };
  await assert.rejects(list(endless()), isFault("protocol", /nothing new/));
  await assert.rejects(list(endless("a")), isFault("protocol", /nothing new/));
  await assert.rejects(list(endless("a", "b", "c")), isFault("protocol", /begin again/));
});

test("an answer that is not a whole listing is an error", { timeout }, async () => {
  const whole = listing(["a", "b"]);
  const wrong: [Answer, string, RegExp][] = [
    [(_query, response) => void response.end("<html>sign in</html>"), "protocol", /<html>/],
    [(_query, response) => void response.end(), "protocol", /no XML/],
    [(_query, response) => void response.end(whole.slice(0, -30)), "protocol", /cut off/],
    [
      (_query, response) => {
        response.writeHead(200, { "content-length": whole.length + 10 });
        response.write(whole, () => response.destroy());
      },
      "network",
      /list 's3:\/\/bkt'.*connection/,
    ],
    [
      (_query, response) => {
        response.write(whole.slice(0, 100), () => response.destroy());
      },
      "network",
      /list 's3:\/\/bkt'.*connection/,
    ],
  ];
  for (const [answer, code, pattern] of wrong) {
    await serving(answer, async ({ store }) => {
      await assert.rejects(list(store()), isFault(code, pattern));
    });
  }
});

test(
  "an error in an answer of status 200 is one, after the SDK has tried again",
  { timeout },
  async () => {
    for (const end of ["", "\n"]) {
      const xml =
        '<?xml version="1.0"?>\n<Error><Code>InternalError</Code><Message>again</Message></Error>';
      await serving(
        (_query, response) => void response.end(xml + end),
        async ({ requests, store }) => {
          await assert.rejects(list(store()), isFault("store", /InternalError: again/));
          assert.equal(requests.length, 2);
        },
      );
    }
  },
);

test("a page that fails once is asked for again by the SDK", { timeout }, async () => {
  let failures = 1;
  const good = pages(["a"], ["b"]);
  const flaky: Answer = (query, response, request) => {
    if (query.has("continuation-token") && failures-- > 0) {
      response.writeHead(200, { "content-length": 1000 });
      response.write("<ListBucketResult>", () => response.destroy());
    } else good(query, response, request);
  };
  await serving(flaky, async ({ requests, store }) => {
    assert.deepEqual(await list(store()), ["a", "b"]);
    assert.equal(requests.length, 3);
  });
});

test("a failed page fails the poll, and nothing is removed", { timeout }, async () => {
  const good = pages(["a"], ["b"]);
  let broken = false;
  const answer: Answer = (query, response, request) => {
    if (!broken || !query.has("continuation-token")) return good(query, response, request);
    response.writeHead(403);
    response.end("<Error><Code>AccessDenied</Code><Message>no</Message></Error>");
  };
  await serving(answer, async ({ store }) => {
    const { signal } = new AbortController();
    const poller = new ObjectStorePoller(store());
    assert.equal([...await poller.poll({ signal })].length, 2);
    broken = true;
    await assert.rejects(poller.poll({ signal }), { code: "store", status: 403 });
    broken = false;
    assert.deepEqual([...await poller.poll({ signal })], []);
  });
});

test(
  "an abort and the timeout end a request that hangs, before and within its body",
  { timeout },
  async () => {
    const hanging: Answer[] = [
      () => {},
      (_query, response) => void response.write("<ListBucketResult>"),
    ];
    for (const answer of hanging) {
      let asked = () => {};
      const hang: Answer = (...call) => {
        answer(...call);
        asked();
      };
      await serving(hang, async ({ store }) => {
        const controller = new AbortController();
        const reason = new Error("enough");
        asked = () => controller.abort(reason);
        for (
          const call of [
            () => list(store(), { signal: controller.signal }),
            () => list(store(), { signal: AbortSignal.abort(reason) }),
            () => store().get("a", { signal: AbortSignal.abort(reason) }),
            () => store().put("a", new Uint8Array(), { signal: AbortSignal.abort(reason) }),
          ]
        ) await assert.rejects(call, (error) => error === reason);
        asked = () => {};
        await assert.rejects(list(store({ timeout: 100 })), isFault("timeout", /within 100 ms/));
      });
    }
  },
);
