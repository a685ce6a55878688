// S3Store on the real client of the SDK, against a server that answers as S3 does, and as it should not.
import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { test } from "node:test";
import {
  type ListObjectsV2CommandInput,
  S3,
  S3Client,
  type S3ClientConfig,
} from "@aws-sdk/client-s3";
import { ExternalError } from "@koprs/external/error";
import { type ObjectMeta, ObjectStorePoller } from "@koprs/external/store";
import { S3Store, type S3StoreOptions } from "@koprs/external/stores/s3";

const timeout = 30_000;

type Answer = (query: URLSearchParams, response: ServerResponse, request: IncomingMessage) => void;

interface Served {
  readonly client: S3;
  readonly config: S3ClientConfig;
  readonly requests: { query: URLSearchParams; request: IncomingMessage }[];
  store(options?: S3StoreOptions): S3Store;
}

/** Runs a test against a server. */
async function serving(answer: Answer, run: (served: Served) => Promise<void>): Promise<void> {
  const requests: Served["requests"] = [];
  const server = createServer((request, response) => {
    const query = new URL(request.url ?? "", "http://localhost").searchParams;
    requests.push({ query, request });
    answer(query, response, request);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const config = {
    endpoint: `http://127.0.0.1:${port}`,
    forcePathStyle: true,
    region: "us-east-1",
    credentials: { accessKeyId: "key", secretAccessKey: "very secret" },
    maxAttempts: 2,
  };
  const client = new S3(config);
  try {
    await run({
      client,
      config,
      requests,
      store: (options) => new S3Store(client, "bkt", options),
    });
  } finally {
    client.destroy();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

const listing = (keys: readonly string[], token?: string) =>
  '<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">' +
  `<EncodingType>url</EncodingType><IsTruncated>${token !== undefined}</IsTruncated>` +
  (token === undefined ? "" : `<NextContinuationToken>${token}</NextContinuationToken>`) +
  keys.map((key) =>
    `<Contents><Key>${encodeURIComponent(key)}</Key><ETag>&quot;${key.length}&quot;</ETag>` +
    "<LastModified>2026-11-23T04:05:06.789Z</LastModified><Size>1</Size></Contents>"
  ).join("") + "</ListBucketResult>";

/** Answers listings with these pages, each with a token that leads to the next. */
const pages = (...all: string[][]): Answer => (query, response) => {
  const index = Number(query.get("continuation-token") ?? 0);
  const next = index + 1 < all.length ? String(index + 1) : undefined;
  response.end(listing(all[index] ?? [], next));
};

async function list(store: S3Store, options?: Parameters<S3Store["list"]>[0]): Promise<string[]> {
  return (await Array.fromAsync(store.list(options))).flat().map(({ key }) => key);
}

function isFault(code: string, pattern: RegExp): (error: unknown) => boolean {
  return (error) =>
    error instanceof ExternalError && error.code === code && error.source === "s3://bkt" &&
    pattern.test(error.message) && !error.message.includes("very secret");
}

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

test("directory buckets have no ranges", { timeout }, async () => {
  await serving(pages(["b", "a"], ["a"]), async ({ client, store }) => {
    const directory = new S3Store(client, "bkt--use1-az4--x-s3");
    assert.equal(directory.ranged, false);
    assert.equal(store().ranged, true);
    await assert.rejects(list(directory, { after: "a" }), TypeError);
    assert.deepEqual(await list(store({ ranged: false })), ["b", "a", "a"]);
  });
});

test("pages that do not go on are an error", { timeout }, async () => {
  const truncated = (xml: string): Answer => (_query, response) => void response.end(xml);
  const noToken = listing(["a"], "x").replace(/<NextC.*Token>/, "");
  await serving(truncated(noToken), async ({ store }) => {
    await assert.rejects(list(store()), isFault("protocol", /NextContinuationToken/));
  });
  await serving(truncated(listing(["a"], "x")), async ({ store }) => {
    await assert.rejects(list(store()), isFault("protocol", /ranged: false/));
    await assert.rejects(list(store({ ranged: false })), isFault("protocol", /second time/));
  });
  await serving(truncated(listing(["a"]).replace(/<IsT.*Truncated>/, "")), async ({ store }) => {
    await assert.rejects(list(store()), isFault("protocol", /IsTruncated/));
  });
  await serving(pages(["b"], ["a"]), async ({ store }) => {
    await assert.rejects(list(store()), isFault("protocol", /ranged: false/));
  });
  let token = 0;
  const endless = {
    listObjectsV2: () =>
      Promise.resolve({ IsTruncated: true, NextContinuationToken: `${token++}`, Contents: [] }),
    getObject: () => Promise.resolve({}),
    putObject: () => Promise.resolve({}),
  };
  await assert.rejects(list(new S3Store(endless, "bkt")), isFault("protocol", /nothing new/));
});

test("an answer that is no whole listing is an error", { timeout }, async () => {
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
      "store",
      /list 's3:\/\/bkt'/,
    ],
    [
      (_query, response) => {
        response.write(whole.slice(0, 100), () => response.destroy());
      },
      "store",
      /list 's3:\/\/bkt'/,
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

test("a read is streamed, and ends with its signal", { timeout }, async () => {
  const answer: Answer = (_query, response, request) => {
    if (request.url?.includes("short")) {
      response.writeHead(200, { "content-length": 100 });
      response.write("begin", () => response.destroy());
    } else {
      response.write("begin");
      if (request.url?.includes("slow")) setTimeout(() => response.end(", end"), 300);
    }
  };
  await serving(answer, async ({ store }) => {
    const controller = new AbortController();
    const reader = (await store().get("a/ü b", { signal: controller.signal })).getReader();
    assert.equal(new TextDecoder().decode((await reader.read()).value), "begin");
    const reason = new Error("enough");
    const next = reader.read();
    controller.abort(reason);
    await assert.rejects(next, (error) => error === reason);
    await (await store().get("a")).cancel();
    const short = new Response(await store().get("short")).text();
    await assert.rejects(short, isFault("store", /get 'short' of 's3:\/\/bkt'/));
    // The timeout holds up to where the content begins.
    const slow = new Response(await store({ timeout: 200 }).get("slow")).text();
    assert.equal(await slow, "begin, end");
  });
});

test("a client that does not heed its signal is left at once, and what it gives late is freed", {
  timeout,
}, async () => {
  const late = Promise.withResolvers<{ Body: { transformToWebStream(): ReadableStream } }>();
  const freed = Promise.withResolvers<void>();
  const store = new S3Store({
    listObjectsV2: () => new Promise(() => {}),
    getObject: () => late.promise,
    putObject: () => new Promise(() => {}),
  }, "bkt");
  const aborting: (readonly [string, (signal: AbortSignal) => Promise<unknown>])[] = [
    ["get", (signal) => store.get("k", { signal })],
    ["put", (signal) => store.put("k", new Uint8Array(), { signal })],
    ["list", (signal) => Array.fromAsync(store.list({ signal }))],
  ];
  for (const [what, begin] of aborting) {
    const abort = new AbortController();
    const reason = new Error("enough");
    const begun = begin(abort.signal);
    abort.abort(reason);
    await assert.rejects(begun, (error) => error === reason, what);
  }
  late.resolve({
    Body: { transformToWebStream: () => new ReadableStream({ cancel: () => freed.resolve() }) },
  });
  await freed.promise;
});

test("a client whose stack is closed works by the SDK's parser, with one line in the log", {
  timeout,
}, async () => {
  /** Cannot be used through a copy. */
  class Private extends S3 {
    #calls = 0;
    get calls(): number {
      return this.#calls;
    }
    // deno-lint-ignore no-explicit-any -- the overloads of the class
    override listObjectsV2(...call: any[]): any {
      this.#calls++;
      return Reflect.apply(S3.prototype.listObjectsV2, this, call);
    }
  }
  const odd = ["%2F", "+", "a b", "ü\u{1F600}", "\ufeff"].sort();
  await serving(pages(odd, ["\uffff"]), async ({ client, config, store }) => {
    const expected = await Array.fromAsync(store().list());
    const plain = {
      listObjectsV2: client.listObjectsV2.bind(client),
      getObject: client.getObject.bind(client),
      putObject: client.putObject.bind(client),
    };
    const stackOnly = { ...plain, middlewareStack: client.middlewareStack };
    const withPrivate = new Private(config);
    for (const other of [plain, stackOnly, withPrivate]) {
      const lines: string[] = [];
      const logger = {
        debug() {},
        info() {},
        error() {},
        warn: (line: string) => lines.push(line),
      };
      const slow = new S3Store(other, "bkt", { logger });
      assert.deepEqual(await Array.fromAsync(slow.list()), expected);
      assert.deepEqual(await Array.fromAsync(slow.list()), expected);
      assert.equal(lines.length, 1);
      assert.match(lines[0] ?? "", /s3:\/\/bkt.*slower/);
    }
    assert.equal(withPrivate.calls, 4);
  });
});

test(
  "a page that does not pass the tap is not mistaken for the one before",
  { timeout },
  async () => {
    await serving(pages(["a"], ["b"], ["c"]), async ({ client }) => {
      const evasive: S3 = Object.create(client, {
        listObjectsV2: {
          value(this: S3, input: ListObjectsV2CommandInput, options: object) {
            const self = input.ContinuationToken === "1" ? client : this;
            return Reflect.apply(S3.prototype.listObjectsV2, self, [input, options]);
          },
        },
      });
      assert.deepEqual(await list(new S3Store(evasive, "bkt")), ["a", "b", "c"]);
    });
  },
);

test("the fallback is as strict", { timeout }, async () => {
  const client = (output: object) => ({
    listObjectsV2: () => Promise.resolve(output),
    getObject: () => Promise.resolve({}),
    putObject: () => Promise.resolve({}),
  });
  const wrong: [object, RegExp][] = [
    [{}, /IsTruncated/],
    [{ IsTruncated: false, Contents: [{ Size: 1 }] }, /without a key/],
    [{ IsTruncated: false, Contents: [{ Key: "a" }] }, /without a size/],
    [{ IsTruncated: true, Contents: [{ Key: "a", Size: 1 }] }, /NextContinuationToken/],
    [{ IsTruncated: false, EncodingType: "url", Contents: [{ Key: "%F", Size: 1 }] }, /escape/],
  ];
  for (const [output, pattern] of wrong) {
    await assert.rejects(list(new S3Store(client(output), "bkt")), isFault("protocol", pattern));
  }
});

test("wrong arguments are refused at once", () => {
  const client = new S3({ region: "us-east-1" });
  // @ts-expect-error: the bare client has no methods for the operations
  assert.throws(() => new S3Store(new S3Client({ region: "us-east-1" }), "bkt"), {
    name: "TypeError",
    message: /bare S3Client.*import \{ S3 \}/,
  });
  // @ts-expect-error: no client
  assert.throws(() => new S3Store(undefined, "bkt"), { name: "TypeError", message: /import/ });
  for (const bucket of ["", "a/b", "s3://bkt", undefined as unknown as string]) {
    assert.throws(() => new S3Store(client, bucket), { name: "TypeError", message: /'bucket'/ });
  }
  assert.throws(() => new S3Store(client, "bkt", { timeout: 0 }), RangeError);
  for (const pageSize of [0, 1001, 1.5]) {
    assert.throws(() => new S3Store(client, "bkt", { pageSize }), RangeError);
  }
  assert.equal(new S3Store(client, "arn:aws:s3:us-west-2:1:accesspoint/a").ranged, true);
  assert.equal(new S3Store(client, "bkt").name, "s3://bkt");
});
