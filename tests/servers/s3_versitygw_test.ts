// S3Store on the Versity gateway.
import { isPath, isXml, testServer } from "./_s3_conformance.ts";
import { versityServer } from "./s3_servers.ts";

await testServer(versityServer, { accepts: (key) => isPath(key) && isXml(key), ranged: true });
