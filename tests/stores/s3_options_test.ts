// What S3Store is made of.
import assert from "node:assert/strict";
import { test } from "node:test";
import { S3, S3Client } from "@aws-sdk/client-s3";
import { S3Store, type S3StoreOptions } from "@koprs/external/stores/s3";
import { list, serving } from "./_s3_server.ts";

const timeout = 30_000;

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

test("an option of the wrong kind is refused at once", () => {
  const client = new S3({ region: "us-east-1" });
  for (const name of ["", 1, null, "two\nlines"]) {
    const options = { name } as unknown as S3StoreOptions;
    assert.throws(() => new S3Store(client, "bkt", options), /TypeError.*'name'/);
  }
  for (const option of ["ranged", "urlEncoding"]) {
    const options = { [option]: "no" } as S3StoreOptions;
    const message = new RegExp(`TypeError.*'${option}' must be true or false`);
    assert.throws(() => new S3Store(client, "bkt", options), message);
  }
});

test("a name stands for the bucket wherever it is named", { timeout }, async () => {
  await serving((_query, response) => void response.writeHead(404).end(), async ({ store }) => {
    const named = store({ name: "mine" });
    assert.equal(named.name, "mine");
    for (
      const run of [() => list(named), () => named.get("k"), () => named.put("k", new Uint8Array())]
    ) {
      await assert.rejects(run, { code: "store", source: "mine", message: /'mine'/ });
    }
  });
});

test("URL encoding is asked for, unless it is turned off: then keys are taken as they come", {
  timeout,
}, async () => {
  const odd = ["%41", "a%2Fb", "a+b"];
  await serving((_query, response) => {
    const key = (key: string) => `<Contents><Key>${key}</Key><Size>1</Size></Contents>`;
    // Says that it encodes, asked or not, and does not.
    response.end(
      "<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>" +
        `${odd.map(key).join("")}</ListBucketResult>`,
    );
  }, async ({ requests, store }) => {
    assert.notDeepEqual(await list(store()), odd);
    assert.equal(requests[0]?.query.get("encoding-type"), "url");
    const plain = store({ urlEncoding: false });
    assert.deepEqual(await list(plain), odd);
    assert.equal(requests[1]?.query.get("encoding-type"), null);
  });
  const client = {
    listObjectsV2: () =>
      Promise.resolve({
        IsTruncated: false,
        EncodingType: "url",
        Contents: [{ Key: "a%41", Size: 1 }],
      }),
    getObject: () => Promise.resolve({}),
    putObject: () => Promise.resolve({}),
  };
  assert.deepEqual(await list(new S3Store(client, "bkt")), ["aA"]);
  assert.deepEqual(await list(new S3Store(client, "bkt", { urlEncoding: false })), ["a%41"]);
});
