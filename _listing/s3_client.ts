/** The S3 client as this package needs it. */

/** The input of a listing request. */
export interface S3ListInput {
  /** The bucket. */
  Bucket: string;
  /** The prefix of the keys. */
  Prefix?: string;
  /** The key after which to begin. */
  StartAfter?: string;
  /** The token of the page to continue with. */
  ContinuationToken?: string;
  /** The most objects in the page. */
  MaxKeys?: number;
  /** How keys are written in the answer. */
  EncodingType?: "url";
  /** Keys that have this after the prefix are not listed one by one. */
  Delimiter?: "/";
  /** Set if the requester pays. */
  RequestPayer?: "requester";
  /** The account that must own the bucket. */
  ExpectedBucketOwner?: string;
}

/** A listing as the SDK parses it. */
export interface S3ListOutput {
  /** The objects. */
  Contents?:
    | readonly {
      Key?: string | undefined;
      Size?: number | undefined;
      ETag?: string | undefined;
      LastModified?: Date | undefined;
    }[]
    | undefined;
  /** Whether more objects follow. */
  IsTruncated?: boolean | undefined;
  /** The token of the next page. */
  NextContinuationToken?: string | undefined;
  /** How the keys are encoded. */
  EncodingType?: string | undefined;
}

/** The input of a request to read an object. */
export interface S3GetInput {
  /** The bucket. */
  Bucket: string;
  /** The key. */
  Key: string;
  /** The ETag that the object must have. */
  IfMatch?: string;
  /** Set if the requester pays. */
  RequestPayer?: "requester";
  /** The account that must own the bucket. */
  ExpectedBucketOwner?: string;
}

/** An object being read. */
export interface S3GetOutput {
  /** The content. */
  Body?: { transformToWebStream(): ReadableStream } | undefined;
  /** The ETag that the object has. */
  ETag?: string | undefined;
}

/** The input of a request to write an object. */
export interface S3PutInput {
  /** The bucket. */
  Bucket: string;
  /** The key. */
  Key: string;
  /** The content. */
  Body: Uint8Array;
  /** The ETag that the object must have. */
  IfMatch?: string;
  /** The ETag that the object must not have; `*` for any. */
  IfNoneMatch?: string;
  /** Set if the requester pays. */
  RequestPayer?: "requester";
  /** The account that must own the bucket. */
  ExpectedBucketOwner?: string;
}

/** What is needed of the class `S3` of `@aws-sdk/client-s3`, version 3. */
export interface S3Client {
  /** Lists a page of a bucket. */
  listObjectsV2(input: S3ListInput, options: { abortSignal: AbortSignal }): Promise<S3ListOutput>;
  /** Reads an object. */
  getObject(input: S3GetInput, options: { abortSignal: AbortSignal }): Promise<S3GetOutput>;
  /** Writes an object. */
  putObject(
    input: S3PutInput,
    options: { abortSignal: AbortSignal },
  ): Promise<{ ETag?: string | undefined }>;
  /** Used to read listings before the SDK parses them. A client without one works, but more slowly. */
  readonly middlewareStack?: unknown;
  /** Tells where requests go. A client without one is taken to use one of Amazon's own endpoints. */
  readonly config?: unknown;
}

/** Throws unless the client has the methods of class `S3`. */
export function checkClient(client: S3Client): void {
  const { send, listObjectsV2, getObject } = (client ?? {}) as Partial<S3Client> & {
    send?: unknown;
  };
  if (typeof listObjectsV2 === "function" && typeof getObject === "function") return;
  throw new TypeError(
    typeof send === "function"
      ? "Cannot use 'client' as it is a bare S3Client, which has no listObjectsV2: " +
        'import { S3 } from "@aws-sdk/client-s3" and pass a new S3(…) of the same configuration'
      : "Cannot use 'client' as it is not an S3 client: " +
        'import { S3 } from "@aws-sdk/client-s3" and pass a new S3(…)',
  );
}
