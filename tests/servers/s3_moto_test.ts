// S3Store on moto.
import { isXml, testServer } from "./_s3_conformance.ts";
import { motoServer } from "./s3_servers.ts";

await testServer(motoServer, {
  accepts: (key) => isXml(key) && !/[\r\n]/.test(key),
  ranged: true,
});
