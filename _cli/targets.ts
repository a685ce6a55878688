/** Makes the source for an argument, by its scheme. */
import process from "node:process";
import { pathToFileURL } from "node:url";
import type { ExternalSource } from "../_diff/source.ts";
import { HttpPoller } from "../_http/http_poller.ts";
import type { AzureContainer } from "../_listing/azure_client.ts";
import type { GcsBucket } from "../_listing/gcs_client.ts";
import type { ObjectStore } from "../_listing/object_store.ts";
import { ObjectStorePoller } from "../_listing/object_store_poller.ts";
import type { S3Client } from "../_listing/s3_client.ts";
import type { Access, Options } from "./options.ts";
import { loadSdk } from "./sdk.ts";
import { UsageError } from "./usage.ts";

/** The source that one argument names. */
export interface Target {
  readonly source: ExternalSource<unknown>;
  /** Where its objects are; undefined for an HTTP resource. */
  readonly store?: ObjectStore;
}

/**
 * The target for an argument such as `https://host/x`, `s3://bucket/prefix` or `./folder`. `part`
 * is a prefix that replaces the one in the argument.
 */
export async function targetFor(
  argument: string,
  options: Options,
  part?: string,
): Promise<Target> {
  const { access } = options;
  if (/^https?:/i.test(argument)) {
    if (options.filter !== undefined) {
      throw new UsageError(
        "Cannot filter an HTTP resource: --filter is for buckets and folders",
      );
    }
    if (part !== undefined) {
      throw new UsageError("Cannot watch a prefix of an HTTP resource: it has no keys");
    }
    return { source: new HttpPoller(argument, access) };
  }
  const { store, prefix } = await storeFor(argument, access);
  const { filter } = options;
  const source = new ObjectStorePoller(store, {
    prefix: part ?? prefix,
    ...(filter !== undefined && { filter: ({ key }) => filter(key) }),
  });
  return { source, store };
}

interface Part {
  readonly store: ObjectStore;
  readonly prefix: string;
}

async function storeFor(argument: string, access: Access): Promise<Part> {
  const [, scheme, rest = ""] = /^([a-z][a-z0-9+]*):\/\/(.*)$/s.exec(argument) ?? [];
  const [bucket = "", ...path] = rest.split("/");
  switch (scheme) {
    case undefined:
      return { store: await localStore(pathToFileURL(argument)), prefix: "" };
    case "file":
      return { store: await localStore(new URL(argument)), prefix: "" };
    case "s3":
      return {
        store: await s3Store(named(argument, bucket), access),
        prefix: path.join("/"),
      };
    case "gs":
      return {
        store: await gcsStore(named(argument, bucket), access),
        prefix: path.join("/"),
      };
    case "az": {
      const [container = "", ...prefix] = path;
      const store = await azureStore(
        named(argument, bucket),
        named(argument, container),
        access,
      );
      return { store, prefix: prefix.join("/") };
    }
    case "dav+http":
    case "dav+https": {
      const { WebDavStore } = await import("../stores/webdav.ts");
      return {
        store: new WebDavStore(argument.slice("dav+".length), access),
        prefix: "",
      };
    }
    default:
      throw new UsageError(
        `Cannot watch '${scheme}://…': use http(s)://, s3://, gs://, az://, dav+http(s):// or a folder`,
      );
  }
}

function named(argument: string, part: string): string {
  if (part !== "") return part;
  throw new UsageError(
    `Cannot watch '${argument}' as a part of it is missing: ` +
      "say s3://bucket, gs://bucket or az://account/container",
  );
}

async function localStore(folder: URL): Promise<ObjectStore> {
  const { LocalStore } = await import("../stores/local.ts");
  return new LocalStore(folder);
}

// Each client reads its credentials, region and the like from its own environment variables.

async function s3Store(
  bucket: string,
  { endpoint }: Access,
): Promise<ObjectStore> {
  interface Sdk {
    readonly S3: new (options: object) => S3Client;
  }
  const { S3 } = await loadSdk<Sdk>("s3");
  const { S3Store } = await import("../stores/s3.ts");
  const elsewhere = endpoint === undefined ? {} : { endpoint, forcePathStyle: true };
  return new S3Store(new S3(elsewhere), bucket);
}

async function gcsStore(
  bucket: string,
  { endpoint }: Access,
): Promise<ObjectStore> {
  interface Sdk {
    readonly Storage: new (
      options: object,
    ) => { bucket(name: string): GcsBucket };
  }
  const { Storage } = await loadSdk<Sdk>("gcs");
  const { GcsStore } = await import("../stores/gcs.ts");
  const elsewhere = endpoint === undefined ? {} : { apiEndpoint: endpoint };
  return new GcsStore(new Storage(elsewhere).bucket(bucket));
}

async function azureStore(
  account: string,
  container: string,
  { endpoint = `https://${account}.blob.core.windows.net` }: Access,
): Promise<ObjectStore> {
  interface Service {
    getContainerClient(name: string): AzureContainer;
  }
  interface Sdk {
    readonly BlobServiceClient: {
      new (endpoint: string, credential?: unknown): Service;
      fromConnectionString(text: string): Service;
    };
    readonly StorageSharedKeyCredential: new (
      account: string,
      key: string,
    ) => unknown;
  }
  const { BlobServiceClient, StorageSharedKeyCredential } = await loadSdk<Sdk>(
    "azure",
  );
  const { AzureStore } = await import("../stores/azure.ts");
  const {
    AZURE_STORAGE_CONNECTION_STRING: connection,
    AZURE_STORAGE_KEY: key,
  } = process.env;
  const credential = key ? new StorageSharedKeyCredential(account, key) : undefined;
  const service = connection
    ? BlobServiceClient.fromConnectionString(connection)
    : new BlobServiceClient(endpoint, credential);
  return new AzureStore(service.getContainerClient(container));
}
