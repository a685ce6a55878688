/** From what was typed on the command line to a source: by scheme, loading an SDK only when it is used. */
import { pathToFileURL } from "node:url";
import {
  type ExternalSource,
  HttpPoller,
  type ObjectStore,
  ObjectStorePoller,
} from "@koprs/external";

/** What the flags say about how to reach a target. */
export interface Access {
  headers: Headers;
  bearerToken?: () => Promise<string>;
  /** Of an S3, GCS or Azure service that is not the cloud's own. */
  endpoint?: string;
}

/** A target that is not understood. Shown as one line. */
export class UsageError extends Error {}

/** The source for an argument such as `https://host/x`, `s3://bucket/prefix` or `./folder`. */
export async function sourceFor(target: string, access: Access): Promise<ExternalSource<unknown>> {
  if (/^https?:/.test(target)) return new HttpPoller(target, access);
  const [, scheme, rest = ""] = /^([a-z][a-z0-9+]*):\/\/(.*)$/s.exec(target) ?? [];
  const slash = rest.indexOf("/");
  const bucket = slash < 0 ? rest : rest.slice(0, slash);
  const path = slash < 0 ? "" : rest.slice(slash + 1);
  switch (scheme) {
    case undefined:
      return new ObjectStorePoller(await localStore(target));
    case "file":
      return new ObjectStorePoller(await localStore(new URL(target)));
    case "s3":
      return poll(await s3Store(bucket, access), path);
    case "gs":
      return poll(await gcsStore(bucket, access), path);
    case "az": {
      const [container = "", ...prefix] = path.split("/");
      return poll(await azureStore(bucket, container, access), prefix.join("/"));
    }
    case "dav+http":
    case "dav+https": {
      const { WebDavStore } = await import("@koprs/external/stores/webdav");
      return new ObjectStorePoller(new WebDavStore(target.slice("dav+".length), access));
    }
    default:
      throw new UsageError(
        `Cannot watch '${target}': use http(s)://, s3://, gs://, az://, dav+http(s):// or a folder`,
      );
  }
}

function poll(store: ObjectStore, prefix: string): ExternalSource<unknown> {
  return new ObjectStorePoller(store, { prefix });
}

async function localStore(folder: string | URL): Promise<ObjectStore> {
  const { LocalStore } = await import("@koprs/external/stores/local");
  return new LocalStore(folder instanceof URL ? folder : pathToFileURL(folder));
}

// The SDKs are named by variables, or Deno would download all of them before the first line runs. Each
// reads its credentials and its endpoint from its own environment variables.

async function s3Store(bucket: string, { endpoint }: Access): Promise<ObjectStore> {
  const sdk = "npm:@aws-sdk/client-s3@^3";
  const [{ S3 }, { S3Store }] = await Promise.all([
    import(sdk),
    import("@koprs/external/stores/s3"),
  ]);
  return new S3Store(new S3({ ...(endpoint && { endpoint, forcePathStyle: true }) }), bucket);
}

async function gcsStore(bucket: string, { endpoint }: Access): Promise<ObjectStore> {
  const sdk = "npm:@google-cloud/storage@^8";
  const [{ Storage }, { GcsStore }] = await Promise.all([
    import(sdk),
    import("@koprs/external/stores/gcs"),
  ]);
  return new GcsStore(new Storage({ ...(endpoint && { apiEndpoint: endpoint }) }).bucket(bucket));
}

async function azureStore(
  account: string,
  container: string,
  { endpoint = `https://${account}.blob.core.windows.net` }: Access,
): Promise<ObjectStore> {
  if (container === "") {
    throw new UsageError("Cannot watch an account: say az://account/container/prefix");
  }
  const sdk = "npm:@azure/storage-blob@^12";
  const [{ BlobServiceClient, StorageSharedKeyCredential }, { AzureStore }] = await Promise.all([
    import(sdk),
    import("@koprs/external/stores/azure"),
  ]);
  const connection = Deno.env.get("AZURE_STORAGE_CONNECTION_STRING");
  const key = Deno.env.get("AZURE_STORAGE_KEY");
  const service = connection
    ? BlobServiceClient.fromConnectionString(connection)
    : new BlobServiceClient(endpoint, key && new StorageSharedKeyCredential(account, key));
  return new AzureStore(service.getContainerClient(container));
}
