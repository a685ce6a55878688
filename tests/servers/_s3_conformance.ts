// What every server that speaks the protocol of S3 goes through: the conformance suite, and being found out.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { S3 } from "@aws-sdk/client-s3";
import { type ObjectMeta, type ObjectStore, ObjectStorePoller } from "@koprs/external/store";
import { S3Store, type S3StoreOptions } from "@koprs/external/stores/s3";
import { testStore } from "@koprs/external/testing";
import { faultyClient } from "./_s3_faults.ts";
import { missingServer, type S3Server, type S3ServerKind, startS3Server } from "./s3_servers.ts";

const timeout = 120_000;
const PAGE = 10;

/** What is to be known of a server. */
export interface Traits {
  /** What its stores are made with. */
  readonly options?: S3StoreOptions;
  /** Whether it can hold a key. */
  readonly accepts: (key: string) => boolean;
  /** What is found out about ranges. */
  readonly ranged: boolean;
  /** What to answer listings of some prefixes, which the server takes for others. */
  readonly instead?: (prefix: string) => string | undefined;
  /** Why the rules for `put` cannot hold. */
  readonly noPut?: string;
  /** Why listings tell a change by its time alone. */
  readonly noEtags?: string;
}

/** Whether a key is a path of files: what a server can hold that keeps its objects in a folder. */
export function isPath(key: string): boolean {
  return new TextEncoder().encode(key).length <= 255 && !key.includes("\0") &&
    key.split("/").every((part) => part !== "" && part !== "." && part !== "..");
}

/** Whether XML can hold a key: what a server can list that does not encode its keys. */
export function isXml(key: string): boolean {
  // deno-lint-ignore no-control-regex
  return !/[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/.test(key);
}

/** The listing of a prefix that no key has. */
export const NOTHING = "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>";

export async function testServer(kind: S3ServerKind, traits: Traits): Promise<void> {
  const { name } = kind;
  const missing = await missingServer(kind);
  if (missing !== undefined) return void test(`S3Store on ${name}`, { skip: missing }, () => {});
  const { options = {}, accepts, ranged } = traits;
  let server: S3Server;
  let client: S3;
  let buckets = 0;

  before(async () => {
    server = await startS3Server(kind);
    client = server.connect();
  }, { timeout });

  const newBucket = async () => {
    const Bucket = `bucket-${buckets++}`;
    await client.createBucket({ Bucket });
    return Bucket;
  };

  after(async () => {
    client?.destroy();
    await server?.kill();
    await server?.stop();
  }, { timeout });

  testStore(`S3Store on ${name}`, async () => {
    const Bucket = await newBucket();
    const faulty = faultyClient((config) => server.connect(config), PAGE, traits.instead);
    const storeOf = (client: S3): ObjectStore => {
      const store = new S3Store(client, Bucket, { pageSize: PAGE, ranged, ...options });
      return traits.noPut === undefined ? store : withoutPut(store);
    };
    return {
      store: storeOf(faulty.client),
      otherStore: storeOf(client),
      put: (Key, Body) =>
        traits.noEtags === undefined
          ? client.putObject({ Bucket, Key, Body })
          : putLater(client, Bucket, Key, Body),
      delete: (Key) => client.deleteObject({ Bucket, Key }),
      failPage: faulty.failPage,
      pageSize: PAGE,
      accepts,
      sameContentIsNoChange: traits.noEtags === undefined,
      vanish: async () => {
        const { Contents = [] } = await client.listObjectsV2({ Bucket });
        for (const { Key } of Contents) await client.deleteObject({ Bucket, Key });
        await client.deleteBucket({ Bucket });
      },
      close: () => faulty.client.destroy(),
    };
  });

  test(`${name} is found out within one listing, and no key is lost`, { timeout }, async () => {
    const Bucket = await newBucket();
    const keys = ["a/1", "a/2", "a/3", "a-b", "a.b", "k\uff5e", "k\u{1f600}", "p q", "p+q", "%41"];
    for (const Key of keys) await client.putObject({ Bucket, Key, Body: "1" });
    const lines: string[] = [];
    const logger = { debug() {}, info() {}, error() {}, warn: (line: string) => lines.push(line) };
    for (let pageSize = 1; pageSize <= keys.length; pageSize++) {
      const store = new S3Store(client, Bucket, { ...options, pageSize, logger });
      lines.length = 0;
      assert.notEqual(await store.identity(), "");
      assert.deepEqual((await list(store)).map(({ key }) => key).sort(), keys.toSorted());
      // One page is too little to learn by, unless it is out of order.
      const known = ranged && pageSize === keys.length ? store.ranged : ranged;
      assert.equal(store.ranged, known);
      assert.equal(lines.length, ranged ? 0 : 1);
    }
    const poller = new ObjectStorePoller(
      new S3Store(client, Bucket, { ...options, pageSize: 3, logger }),
    );
    const { signal } = new AbortController();
    assert.equal([...await poller.poll({ signal })].length, keys.length);
    assert.deepEqual([...await poller.poll({ signal })], []);
  });

  test(`${name} holds a read to its condition, or is held to it`, { timeout }, async () => {
    const Bucket = await newBucket();
    await client.putObject({ Bucket, Key: "k", Body: "1" });
    const store = new S3Store(client, Bucket);
    const { ETag = "" } = await client.headObject({ Bucket, Key: "k" });
    assert.equal(await new Response(await store.get("k", { ifMatch: ETag })).text(), "1");
    await client.putObject({ Bucket, Key: "k", Body: "2" });
    await assert.rejects(store.get("k", { ifMatch: ETag }), { code: "store", status: 412 });
  });
}

async function list(store: ObjectStore): Promise<ObjectMeta[]> {
  return (await Array.fromAsync(store.list())).flat();
}

/** Writes an object, again where that fell into the same tick of the server's clock as the write before. */
async function putLater(
  client: S3,
  Bucket: string,
  Key: string,
  Body: Uint8Array<ArrayBuffer>,
): Promise<void> {
  const timeOf = async () => {
    const { Contents = [] } = await client.listObjectsV2({ Bucket, Prefix: Key, MaxKeys: 1 });
    const [object] = Contents;
    return object?.Key === Key ? object.LastModified?.getTime() : undefined;
  };
  const before = await timeOf();
  do await client.putObject({ Bucket, Key, Body }); while (
    before !== undefined && await timeOf() === before
  );
}

/** The same store for reading alone. */
function withoutPut(store: S3Store): ObjectStore {
  return new Proxy(store, {
    get(target, property) {
      if (property === "put") return undefined;
      const value = Reflect.get(target, property, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
