// The program that local_permissions_test.ts starts: lists a folder and reads its files, or says what it may not do.
import process from "node:process";
import { LocalStore } from "@koprs/external/stores/local";

const store = new LocalStore(process.argv[2] as string);
try {
  for await (const page of store.list()) {
    for (const { key, etag } of page) {
      const content = await store.get(key, etag === undefined ? {} : { ifMatch: etag });
      console.log(`${key}: ${await new Response(content).text()}`);
    }
  }
} catch (error) {
  console.log((error as Error).message);
}
