// S3Store on S3Proxy, which lists in the order of UTF-16, and encodes its page tokens.
import { isPath, NOTHING, testServer } from "./_s3_conformance.ts";
import { s3ProxyServer } from "./s3_servers.ts";

await testServer(s3ProxyServer, {
  // It makes names of files that are longer than keys.
  accepts: (key) => isPath(key) && key.length <= 200,
  // It takes prefixes for paths.
  instead: (prefix) => /^(\.{0,2}\/|\.\.)/.test(prefix) ? NOTHING : undefined,
  ranged: false,
  noPut: "it ignores the conditions of a write",
});
