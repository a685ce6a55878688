// Signature Version 4 for the few requests with which a test prepares an S3 server. Tests of the
// package itself use the real SDK.
import { createHash, createHmac } from "node:crypto";

/** Who signs. */
export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly region: string;
}

/** A request to sign: `headers` by lower-case name, `query` not yet encoded. */
export interface Signable {
  readonly method: string;
  readonly endpoint: string;
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The URL and the headers of the signed request; its body is not signed. */
export function sign(
  request: Signable,
  credentials: Credentials,
): { url: string; headers: Record<string, string> } {
  const time = new Date().toISOString().replace(/[-:]|\.\d+/g, "");
  const day = time.slice(0, 8);
  const path = request.path.split("/").map(encode).join("/");
  const query = Object.entries(request.query ?? {})
    .map(([name, value]) => `${encode(name)}=${encode(value)}`).sort().join("&");
  const headers: Record<string, string> = {
    ...request.headers,
    "x-amz-content-sha256": "UNSIGNED-PAYLOAD",
    "x-amz-date": time,
  };
  const signed: Record<string, string> = { ...headers, host: new URL(request.endpoint).host };
  const names = Object.keys(signed).sort();
  const canonical = [
    request.method,
    path,
    query,
    ...names.map((name) => `${name}:${signed[name]?.trim()}`),
    "",
    names.join(";"),
    "UNSIGNED-PAYLOAD",
  ].join("\n");
  const scope = `${day}/${credentials.region}/s3/aws4_request`;
  const digest = createHash("sha256").update(canonical).digest("hex");
  let key: Uint8Array = new TextEncoder().encode(`AWS4${credentials.secretAccessKey}`);
  for (const word of scope.split("/")) key = createHmac("sha256", key).update(word).digest();
  const signature = createHmac("sha256", key)
    .update(`AWS4-HMAC-SHA256\n${time}\n${scope}\n${digest}`).digest("hex");
  headers.authorization = `AWS4-HMAC-SHA256 Credential=${credentials.accessKeyId}/${scope}, ` +
    `SignedHeaders=${names.join(";")}, Signature=${signature}`;
  return { url: request.endpoint + path + (query === "" ? "" : `?${query}`), headers };
}

function encode(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
