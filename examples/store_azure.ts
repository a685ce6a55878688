/**
 * Watches a container of Azure Blob Storage, and reads what changed.
 *
 *     deno run -A examples/store_azure.ts my-container [prefix]
 *
 * The account and its key come from AZURE_STORAGE_CONNECTION_STRING; a `DefaultAzureCredential` of
 * `@azure/identity` works as well. Without arguments it starts a server of its own (Azurite), changes a container
 * there, and ends.
 */
import { BlobServiceClient } from "@azure/storage-blob";
import { ObjectStorePoller, watchExternal } from "@koprs/external";
import { AzureStore } from "@koprs/external/stores/azure";
import { missingAzurite, startAzurite } from "../tests/servers/azurite.ts";

async function watch(store: AzureStore, prefix: string, interval: number, steps?: Steps) {
  const watch = watchExternal(new ObjectStorePoller(store, { prefix }), {
    interval,
    onError: (error) => console.error(error.message),
  });
  for await (const { type, item } of watch) {
    console.log(type.padEnd(8), item.key, item.size, item.etag ?? "");
    if (type !== "removed") {
      // Of this very state: if the blob has changed since, this fails, and the next poll tells of it.
      const content = await store.get(item.key, { ifMatch: item.etag });
      console.log("        ", (await new Response(content).text()).slice(0, 60));
    }
    if (steps === undefined) continue;
    const step = steps.shift();
    if (step === undefined) break;
    await step();
  }
}

/** What the demonstration does after each event; it ends with the event after the last. */
type Steps = (() => Promise<unknown>)[];

/** The watch retries by itself: the client's own retries would only keep it from saying so. */
function open(connectionString: string, container: string) {
  return BlobServiceClient.fromConnectionString(connectionString, {
    retryOptions: { maxTries: 2 },
  }).getContainerClient(container);
}

const [container, prefix = ""] = Deno.args;
if (container !== undefined) {
  const connectionString = Deno.env.get("AZURE_STORAGE_CONNECTION_STRING");
  if (connectionString === undefined) {
    throw new Error("Cannot watch as AZURE_STORAGE_CONNECTION_STRING is not set");
  }
  await watch(new AzureStore(open(connectionString, container)), prefix, 30_000);
} else {
  await demonstrate();
}

async function demonstrate() {
  const missing = await missingAzurite();
  if (missing !== undefined) return console.log(`No demonstration: ${missing}`);
  const server = await startAzurite();
  try {
    const container = open(server.connectionString, "settings");
    await container.create();
    const put = (body: string) =>
      container.getBlockBlobClient("app/limits.json").upload(body, body.length);
    await put('{"replicas": 1}');
    await watch(new AzureStore(container), "app/", 200, [
      () => put('{"replicas": 3}'),
      () => container.deleteBlob("app/limits.json"),
    ]);
  } finally {
    await server.stop();
  }
}
