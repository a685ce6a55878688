// S3Store on s3s-fs, which says that it encodes keys and does not.
import { isPath, isXml, NOTHING, testServer } from "./_s3_conformance.ts";
import { s3sServer } from "./s3_servers.ts";

await testServer(s3sServer, {
  options: { urlEncoding: false },
  // It makes names of files that are longer than keys, and writes a carriage return as it is, which XML takes for a line feed.
  accepts: (key) => isPath(key) && isXml(key) && key.length <= 100 && !key.includes("\r"),
  // It takes a slash for no prefix.
  instead: (prefix) => prefix.startsWith("/") ? NOTHING : undefined,
  ranged: true,
  noEtags: "its listings have none",
  noPut: "it gives an ETag that its listings do not have",
});
