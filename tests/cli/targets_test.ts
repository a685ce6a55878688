// Targets: the source and the store that an argument names, and how they are reached.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { parseOptions } from "../../_cli/options.ts";
import { type Target, targetFor } from "../../_cli/targets.ts";
import { UsageError } from "../../_cli/usage.ts";
import { MemoryStore } from "../../stores/memory.ts";
import { azure } from "../stores/_clouds.ts";
import { temporaryFolder } from "./_program.ts";

// The SDKs take a while to load.
const options = { timeout: 60_000 };

function target(argument: string, args: readonly string[] = [], part?: string): Promise<Target> {
  return targetFor(argument, parseOptions(args), part);
}

/** Runs the body with these variables, and without all others that begin as they do. */
async function withVariables(
  values: Readonly<Record<string, string>>,
  body: () => Promise<void>,
): Promise<void> {
  const named = () => Object.keys(process.env).filter((name) => /^(?:AWS|AZURE)_/.test(name));
  const before = named().map((name) => [name, process.env[name]] as const);
  for (const [name] of before) delete process.env[name];
  Object.assign(process.env, values);
  try {
    await body();
  } finally {
    for (const name of named()) delete process.env[name];
    for (const [name, value] of before) process.env[name] = value;
  }
}

test("an HTTP resource is a source without a store", async () => {
  for (const url of ["http://host/x", "https://host/x", "HTTPS://host/x"]) {
    const { source, store } = await target(url);
    assert.equal(source.name, new URL(url).href);
    assert.equal(store, undefined);
  }
});

test("an HTTP resource has no keys to choose from", async () => {
  await assert.rejects(target("http://host/x", ["--filter", "*"]), {
    constructor: UsageError,
    message: /^Cannot filter an HTTP resource/,
  });
  await assert.rejects(target("http://host/x", [], "a/"), {
    constructor: UsageError,
    message: /^Cannot watch a prefix of an HTTP resource/,
  });
});

test("a folder is named by its path or by its URL", async (t) => {
  const folder = await temporaryFolder(t);
  const { href } = pathToFileURL(folder);
  for (const argument of [folder, href]) {
    const { source, store } = await target(argument);
    assert.deepEqual([source.name, store?.name], [href, href]);
  }
  const { source } = await target("./folder");
  assert.equal(source.name, pathToFileURL(join(process.cwd(), "folder")).href);
  assert.equal((await target(folder, [], "in/")).source.name, `${href}/in/`);
});

test("only keys that the filter takes are listed", async () => {
  // The store is replaced, so that none is needed.
  const { source, store } = await target("./folder", ["--filter", "*.csv"]);
  assert.ok(store !== undefined);
  const memory = new MemoryStore();
  for (const key of ["a.csv", "b.json"]) await memory.put(key, key);
  Object.defineProperty(store, "ranged", { value: true });
  store.list = (options) => memory.list(options);
  const { signal } = new AbortController();
  const keys = [...await source.poll({ signal })].map(({ item }) => (item as { key: string }).key);
  assert.deepEqual(keys, ["a.csv"]);
});

test("a WebDAV folder", async () => {
  for (const scheme of ["http", "https"]) {
    const { source, store } = await target(`dav+${scheme}://host/x/y`);
    assert.equal(source.name, `dav+${scheme}://host/x/y/`);
    assert.equal(store?.name, `dav+${scheme}://host/x/y/`);
  }
});

test("a bucket of S3, of the cloud or of another server", options, () => {
  const known = { AWS_REGION: "eu-north-1", AWS_ACCESS_KEY_ID: "a", AWS_SECRET_ACCESS_KEY: "b" };
  return withVariables(known, async () => {
    const { source, store } = await target("s3://bucket/a/b");
    assert.deepEqual([source.name, store?.name], ["s3://bucket/a/b", "s3://bucket"]);
    assert.equal(await store?.identity?.(), "");
    const other = await target("s3://bucket", ["--endpoint", "http://127.0.0.1:1/"], "c");
    assert.equal(other.source.name, "s3://bucket/c");
    assert.equal(await other.store?.identity?.(), "127.0.0.1:1");
  });
});

test("a bucket of Google Cloud Storage, of the cloud or of another server", options, async () => {
  const { source, store } = await target("gs://bucket/a/b");
  assert.deepEqual([source.name, store?.name], ["gs://bucket/a/b", "gs://bucket"]);
  assert.equal(await store?.identity?.(), "");
  const other = await target("gs://bucket", ["--endpoint", "http://127.0.0.1:1"]);
  assert.equal(other.source.name, "gs://bucket");
  assert.equal(await other.store?.identity?.(), "127.0.0.1:1");
});

test("a container of Azure, and how its account is proven", options, async () => {
  const seen: string[] = [];
  const server = createServer((request, response) => {
    seen.push(`${request.url?.split("?")[0]} ${request.headers.authorization?.split(":")[0]}`);
    response.setHeader("content-type", azure.type).end(azure.page([]));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const list = async (found: Target) => {
    await Array.fromAsync(found.store?.list() ?? []);
    return seen.splice(0);
  };
  try {
    await withVariables({}, async () => {
      const { source, store } = await target("az://account/container/a/b");
      const name = "az://account/container";
      assert.deepEqual([source.name, store?.name], [`${name}/a/b`, name]);
      assert.equal(await store?.identity?.(), "");
      const open = await target(name, ["--endpoint", `${endpoint}/account`]);
      assert.deepEqual(await list(open), ["/account/container undefined"]);
    });
    await withVariables({ AZURE_STORAGE_KEY: "a2V5" }, async () => {
      const owned = await target("az://account/container", ["--endpoint", `${endpoint}/account`]);
      assert.deepEqual(await list(owned), ["/account/container SharedKey account"]);
    });
    const connection = `DefaultEndpointsProtocol=http;AccountName=other;AccountKey=a2V5;` +
      `BlobEndpoint=${endpoint}/other;`;
    await withVariables({ AZURE_STORAGE_CONNECTION_STRING: connection }, async () => {
      const connected = await target("az://account/container");
      assert.deepEqual(await list(connected), ["/other/container SharedKey other"]);
    });
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
});

test("what is no target, or a part of one, is said", async () => {
  for (
    const argument of ["s3://", "s3:///a", "gs://", "az://account", "az://account/", "az:///c"]
  ) {
    await assert.rejects(target(argument), {
      constructor: UsageError,
      message: `Cannot watch '${argument}' as a part of it is missing: ` +
        "say s3://bucket, gs://bucket or az://account/container",
    });
  }
  for (const scheme of ["ftp", "dav", "dav+ftp"]) {
    await assert.rejects(target(`${scheme}://s3cret@host/x`), {
      constructor: UsageError,
      message: `Cannot watch '${scheme}://…': ` +
        "use http(s)://, s3://, gs://, az://, dav+http(s):// or a folder",
    });
  }
});
