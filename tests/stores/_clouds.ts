// Google Cloud Storage and Azure Blob Storage, each as its own client sees it: one set of tests drives both stores.
import { AnonymousCredential, ContainerClient } from "@azure/storage-blob";
import { Storage } from "@google-cloud/storage";
import { AzureStore, type AzureStoreOptions } from "@koprs/external/stores/azure";
import { ExternalError, type ExternalErrorCode } from "@koprs/external/error";
import { GcsStore, type GcsStoreOptions } from "@koprs/external/stores/gcs";
import assert from "node:assert/strict";
import type { IncomingMessage } from "node:http";
import type { ObjectMeta } from "../../store.ts";

/** An object as the tests list it. */
export interface Listed {
  readonly key: string;
  readonly size?: number;
  /** A number, of which each service makes an ETag. */
  readonly version?: number;
}

/** What the options of both stores have in common. */
export type CloudOptions = GcsStoreOptions & AzureStoreOptions;

/** How the client behaves: as it does by itself, or without tries of its own, which take seconds. */
export type Retries = "default" | "none";

export interface CloudKind {
  readonly title: string;
  /** The name of each store made here. */
  readonly name: string;
  readonly place: string;
  store(origin: string, options?: CloudOptions, retries?: Retries): GcsStore | AzureStore;
  /** The media type of a page, and a page that says that more follow where `next` is given. */
  readonly type: string;
  page(objects: readonly Listed[], next?: string): string;
  /** How an ETag looks in an event, and in the header of an answer. */
  etag(version: number): string;
  headers(version: number): Record<string, string>;
  /** The answer to a write, its status included. */
  readonly written: number;
  writtenBody(version: number): string;
  /** Where a request for a page is to begin. */
  tokenOf(request: IncomingMessage): string | null;
  /** The body of an error of the service. */
  error(status: number, code: string, message: string): string;
  /** The service's own code for a bucket or a container that is not there. */
  readonly missing: string;
}

export const gcs: CloudKind = {
  title: "GcsStore",
  name: "gs://place",
  place: "bucket",
  store(apiEndpoint, options, retries = "none") {
    const retryOptions = retries === "none" ? { retryOptions: { autoRetry: false } } : {};
    const storage = new Storage({ apiEndpoint, projectId: "p", ...retryOptions });
    return new GcsStore(storage.bucket("place"), options);
  },
  type: "application/json",
  page: (objects, next) =>
    JSON.stringify({
      kind: "storage#objects",
      nextPageToken: next,
      items: objects.map(({ key, size = 1, version = 1 }) => ({
        name: key,
        size: String(size),
        generation: String(version),
      })),
    }),
  etag: (version) => String(version),
  headers: (version) => ({ "x-goog-generation": String(version) }),
  written: 200,
  writtenBody: (version) => JSON.stringify({ kind: "storage#object", generation: `${version}` }),
  tokenOf: (request) => queryOf(request).get("pageToken"),
  error: (status, _code, message) => JSON.stringify({ error: { code: status, message } }),
  missing: "The specified bucket does not exist.",
};

export const azure: CloudKind = {
  title: "AzureStore",
  name: "az://account/place",
  place: "container",
  store(origin, options, retries = "none") {
    const retryOptions = retries === "none" ? { retryOptions: { maxTries: 1 } } : {};
    const url = `${origin}/account/place?sig=c2VjcmV0`;
    return new AzureStore(
      new ContainerClient(url, new AnonymousCredential(), retryOptions),
      options,
    );
  },
  type: "application/xml",
  page: (objects, next = "") =>
    `<?xml version="1.0" encoding="utf-8"?><EnumerationResults ContainerName="place"><Blobs>${
      objects.map(({ key, size = 1, version = 1 }) =>
        `<Blob><Name>${key}</Name><Properties><Etag>0x${version}</Etag>` +
        `<Content-Length>${size}</Content-Length></Properties></Blob>`
      ).join("")
    }</Blobs><NextMarker>${next}</NextMarker></EnumerationResults>`,
  etag: (version) => `"0x${version}"`,
  headers: (version) => ({ etag: `"0x${version}"` }),
  written: 201,
  writtenBody: () => "",
  tokenOf: (request) => queryOf(request).get("marker"),
  error: (_status, code, message) =>
    `<?xml version="1.0" encoding="utf-8"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`,
  missing: "ContainerNotFound",
};

export const clouds: readonly CloudKind[] = [gcs, azure];

export function queryOf(request: IncomingMessage): URLSearchParams {
  return new URL(request.url ?? "", "http://localhost").searchParams;
}

/** Whether a request is for a page of a listing. */
export function isListing(request: IncomingMessage): boolean {
  return request.method === "GET" && !/alt=media/.test(request.url ?? "") &&
    /\/o\?|comp=list/.test(request.url ?? "");
}

/** All objects of a listing. */
export async function objectsOf(
  store: GcsStore | AzureStore,
  options = {},
): Promise<ObjectMeta[]> {
  return (await Array.fromAsync(store.list(options))).flat();
}

/** The error of something that must fail, with its code. */
export async function failure(
  code: ExternalErrorCode,
  promise: Promise<unknown>,
): Promise<ExternalError> {
  const error: unknown = await promise.then(
    (value) => assert.fail(`what should fail gave ${JSON.stringify(value)}`),
    (error) => error,
  );
  assert(error instanceof ExternalError, `no ExternalError: ${error}`);
  assert.equal(error.code, code, error.message);
  return error;
}
