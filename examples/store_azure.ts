/**
 * Watches a container of Azure Blob Storage, and reads the blobs that changed.
 *
 *     deno run -A examples/store_azure.ts my-container [prefix]
 *
 * The account and its key come from AZURE_STORAGE_CONNECTION_STRING; a `DefaultAzureCredential` of
 * `@azure/identity` works as well. Without arguments it starts a server of its own (Azurite), changes a container
 * there, and ends.
 */
import process from "node:process";
import { BlobServiceClient } from "@azure/storage-blob";
import { AzureStore } from "@koprs/external/stores/azure";
import { missingAzurite, startAzurite } from "../tests/servers/azurite.ts";
import { watchStore } from "./_watch_store.ts";

/** The client retries once only: the watch retries by itself, and so reports a failure sooner. */
function open(connectionString: string, container: string) {
  return BlobServiceClient.fromConnectionString(connectionString, {
    retryOptions: { maxTries: 2 },
  }).getContainerClient(container);
}

const [container, prefix = ""] = process.argv.slice(2);
if (container !== undefined) {
  const connectionString = process.env.AZURE_STORAGE_CONNECTION_STRING;
  if (connectionString === undefined) {
    throw new Error("Cannot watch as AZURE_STORAGE_CONNECTION_STRING is not set");
  }
  const store = new AzureStore(open(connectionString, container));
  await watchStore(store, { prefix, interval: 30_000 });
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
    await watchStore(new AzureStore(container), {
      prefix: "app/",
      interval: 200,
      steps: [() => put('{"replicas": 3}'), () => container.deleteBlob("app/limits.json")],
    });
  } finally {
    await server.stop();
  }
}
