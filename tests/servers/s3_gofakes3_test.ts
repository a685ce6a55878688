// S3Store on gofakes3.
import { isXml, testServer } from "./_s3_conformance.ts";
import { gofakesServer } from "./s3_servers.ts";

await testServer(gofakesServer, { accepts: isXml, ranged: true });
