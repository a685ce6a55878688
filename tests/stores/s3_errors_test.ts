// What S3Store makes of failures, on a client of the SDK with its own defaults: three attempts, and no bound in time.
import assert from "node:assert/strict";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import process from "node:process";
import { test } from "node:test";
import { S3 } from "@aws-sdk/client-s3";
import { ExternalError } from "@koprs/external/error";
import { S3Store } from "@koprs/external/stores/s3";
import {
  type Answer,
  bucketOf,
  configOf,
  failing,
  isFault,
  list,
  listing,
  serving,
  warnings,
} from "./_s3_server.ts";

const timeout = 60_000;
const bytes = new TextEncoder().encode("content");

/** What each of the three operations rejects with. */
async function failures(store: S3Store): Promise<ExternalError[]> {
  const errors: unknown[] = [];
  for (const run of [() => list(store), () => store.get("k"), () => store.put("k", bytes)]) {
    errors.push(await run().then(() => undefined, (error) => error));
  }
  return errors.map((error) => {
    assert.ok(error instanceof ExternalError, String(error));
    assert.ok(!/very secret/.test(`${error.message} ${error.stack} ${error.cause}`));
    return error;
  });
}

test("an answer that is no success has its status, and the wait that it asks for", {
  timeout,
}, async () => {
  const cases: (readonly [number, string, Record<string, string>, number | undefined, number])[] = [
    [429, "TooManyRequests", { "retry-after": "1" }, 1_000, 3],
    [503, "SlowDown", {}, undefined, 3],

    [500, "InternalError", {}, undefined, 3],
    [403, "AccessDenied", {}, undefined, 1],
    [404, "NoSuchBucket", {}, undefined, 1],
  ];
  await Promise.all(
    cases.map(([status, name, headers, retryAfter, attempts]) =>
      serving(failing(status, name, headers), async ({ requests, store }) => {
        for (const error of await failures(store())) {
          assert.deepEqual(
            [error.code, error.status, error.retryAfter],
            ["store", status, retryAfter],
            error.message,
          );
          assert.match(error.message, new RegExp(`${name}.*as tested`));
        }
        assert.equal(requests.length, 3 * attempts);
      }, {})
    ),
  );
});

test("a page that is refused twice comes at the third attempt", { timeout }, async () => {
  let nth = 0;
  const busy = failing(503, "SlowDown");
  const good = bucketOf({ keys: ["a"] });
  const answer: Answer = (...call) => (++nth < 3 ? busy : good)(...call);
  await serving(answer, async ({ store }) => assert.deepEqual(await list(store()), ["a"]), {});
});

test("a connection that is refused, reset or cut is the network's", { timeout }, async () => {
  const refused = createServer();
  await new Promise<void>((resolve) => refused.listen(0, "127.0.0.1", resolve));
  const { port } = refused.address() as AddressInfo;
  await new Promise((resolve) => refused.close(resolve));
  const client = new S3(configOf(port));
  for (const error of await failures(new S3Store(client, "bkt"))) {
    assert.ok(isFault("network", /cannot be reached/)(error), String(error));
  }
  client.destroy();
  const broken: Answer[] = [
    (_query, response) => void response.destroy(),
    (_query, response) => void response.socket?.resetAndDestroy(),
  ];
  for (const answer of broken) {
    await serving(answer, async ({ store }) => {
      for (const error of await failures(store())) {
        assert.ok(isFault("network", /s3:\/\/bkt/)(error), String(error));
        assert.equal(error.status, undefined);
      }
    }, {});
  }
  const cut: Answer = (_query, response) => {
    response.writeHead(200, { "content-length": 1_000 });
    response.write("<ListBucketResult>", () => response.destroy());
  };
  await serving(cut, async ({ requests, store }) => {
    await assert.rejects(list(store()), isFault("network", /list/));
    assert.equal(requests.length, 3);
  }, {});
});

test(
  "a server that never answers, or drips, is left after the timeout, and its connection closed",
  {
    timeout,
  },
  async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const drips: ReturnType<typeof setInterval>[] = [];
    const answers: Answer[] = [
      () => {},
      (_query, response) => void response.write("<ListBucketResult>"),
      (_query, response) => {
        response.write("<ListBucketResult>");
        drips.push(setInterval(() => response.write(" "), 5));
      },
    ];
    for (const answer of answers) {
      const asked = Promise.withResolvers<void>();
      const closed = Promise.withResolvers<void>();
      await serving((query, response, request) => {
        response.on("close", () => closed.resolve());
        answer(query, response, request);
        asked.resolve();
      }, async ({ store }) => {
        const left = assert.rejects(
          list(store({ timeout: 100 })),
          isFault("timeout", /within 100 ms; see 'timeout'/),
        );
        await asked.promise;
        t.mock.timers.tick(100);
        await left;
        await closed.promise;
      }, {});
      drips.forEach(clearInterval);
    }
    // Deno leaves the clock to the tests behind this one.
    t.mock.timers.reset();
  },
);

test("an answer without end is left at its most bytes, and its connection closed", {
  timeout,
}, async () => {
  const closed = Promise.withResolvers<void>();
  const chunk = new Uint8Array(1024 * 1024).fill(0x20);
  const answer: Answer = (_query, response) => {
    response.on("close", () => closed.resolve());
    const more = () => {
      while (response.writable && response.write(chunk));
    };
    response.on("drain", more);
    response.write("<ListBucketResult>");
    more();
  };
  await serving(answer, async ({ requests, store }) => {
    await assert.rejects(list(store()), isFault("too-large", /33554432 bytes/));
    await closed.promise;
    assert.equal(requests.length, 1);
  }, {});
});

test("an answer in tiny chunks takes little more memory than it is long", { timeout }, async () => {
  const keys = Array.from({ length: 100 }, (_, i) => `k${100 + i}`);
  const xml = listing(keys);
  const answer: Answer = (_query, response) => {
    response.socket?.setNoDelay(true);
    let at = 0;
    const next = (): void => {
      if (at === xml.length) return void response.end();
      response.write(xml[at++], () => setImmediate(next));
    };
    next();
  };
  await serving(answer, async ({ store }) => {
    const before = process.memoryUsage().rss;
    assert.deepEqual(await list(store()), keys);
    const grown = process.memoryUsage().rss - before;
    assert.ok(grown < 100e6, `${xml.length} bytes took ${Math.round(grown / 1e6)} MB`);
  }, {});
});

test("what does not pass by itself is said to be so, with what to do", { timeout }, async () => {
  const denied = failing(403, "AccessDenied");
  await serving(denied, async ({ store }) => {
    const [listed, read, written] = await failures(store());
    assert.match(listed?.message ?? "", /need s3:ListBucket.*not pass by itself/);
    assert.match(read?.message ?? "", /need s3:GetObject.*not pass by itself/);
    assert.match(written?.message ?? "", /need s3:PutObject.*not pass by itself/);
  }, {});
  for (
    const [name, pattern] of [
      ["InvalidAccessKeyId", /check the credentials.*not pass by itself/],
      ["SignatureDoesNotMatch", /check the credentials.*not pass by itself/],
      ["ExpiredToken", /renew.*not pass by itself/],
      ["NoSuchBucket", /name of the bucket and the endpoint/],
      ["NotImplemented", /requestChecksumCalculation.*WHEN_REQUIRED/],
      ["SlowDown", /limits the rate.*poll less often/],
    ] as const
  ) {
    await serving(failing(400, name), async ({ store }) => {
      for (const error of await failures(store())) assert.match(error.message, pattern);
    }, {});
  }
  await serving(() => {}, async ({ config, requests }) => {
    const without = async (change: object, pattern: RegExp) => {
      const client = new S3({ ...config, ...change });
      for (const error of await failures(new S3Store(client, "bkt"))) {
        assert.equal(error.code, "store");
        assert.match(error.message, pattern);
      }
      client.destroy();
    };
    await without(
      { region: () => Promise.reject(new Error("Region is missing")) },
      /'region'.*AWS_REGION.*not pass by itself/,
    );
    const none = Object.assign(new Error("Could not load credentials from any providers"), {
      name: "CredentialsProviderError",
    });
    await without(
      { credentials: () => Promise.reject(none) },
      /'credentials'.*AWS_ACCESS_KEY_ID.*not pass by itself/,
    );
    assert.equal(requests.length, 0);
  }, {});
});

test("a provider that throws a TypeError makes nothing slow, be it once or for long", {
  timeout,
}, async () => {
  await serving(bucketOf({ keys: ["a"] }), async ({ config }) => {
    let failures = 0;
    const provide = <T>(value: T): Promise<T> =>
      failures-- > 0
        ? Promise.reject(new TypeError("Cannot read properties of undefined"))
        : Promise.resolve(value);
    const providers = [
      { credentials: () => provide({ accessKeyId: "key", secretAccessKey: "very secret" }) },
      { region: () => provide("us-east-1") },
      { endpoint: () => provide(config.endpoint) },
    ];
    for (const provider of providers) {
      for (const often of [1, 100]) {
        const client = new S3({ ...config, ...provider } as typeof config);
        const { logger, lines } = warnings();
        const store = new S3Store(client, "bkt", { logger });
        failures = often;
        await assert.rejects(list(store), isFault("store", /TypeError: Cannot read properties/));
        failures = 0;
        assert.deepEqual(await list(store), ["a"]);
        assert.deepEqual(lines, []);
        client.destroy();
      }
    }
  });
});
