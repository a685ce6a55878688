// Azurite: the Blob service of Azure Storage. It always runs on `node`, whatever the tests run on.
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { httpStatus, type ServerProcess, startServer } from "./process.ts";
import { azurite, cachedTool, onPath } from "./tools.ts";

/** A running Azurite. */
export interface AzuriteServer extends ServerProcess {
  /** The URL of the account, `http://127.0.0.1:<port>/<account>`. */
  readonly endpoint: string;
  readonly accountName: string;
  readonly accountKey: string;
  /** For `BlobServiceClient.fromConnectionString`. */
  readonly connectionString: string;
}

/** Why Azurite cannot be started, or undefined. */
export async function missingAzurite(): Promise<string | undefined> {
  if (onPath("node") === undefined) return "Node is not installed";
  const tool = await cachedTool(azurite);
  return "missing" in tool ? tool.missing : undefined;
}

/**
 * Starts Azurite with an empty account and a new key. It writes what it knows to disk every 5 seconds
 * and when it is stopped: `kill` loses the writes of the last seconds, `restart` alone does not. Before
 * a test of a crash, call `restart` once, after the last write.
 */
export async function startAzurite(): Promise<AzuriteServer> {
  const node = onPath("node");
  const tool = await cachedTool(azurite);
  if ("missing" in tool) throw new Error(`Cannot start Azurite: ${tool.missing}`);
  if (node === undefined) throw new Error("Cannot start Azurite: Node is not installed");
  const accountName = "koprsaccount";
  const accountKey = randomBytes(64).toString("base64");
  const server = await startServer({
    name: "Azurite",
    launch: ({ port, folder }) => ({
      command: node,
      args: [
        tool.path,
        ...["--blobHost", "127.0.0.1", "--blobPort", String(port)],
        ...["--location", join(folder, "data")],
        ...["--silent", "--disableTelemetry", "--skipApiVersionCheck"],
      ],
      env: { AZURITE_ACCOUNTS: `${accountName}:${accountKey}` },
    }),
    ready: async ({ port }) => await httpStatus(port, `/${accountName}?comp=list`) === 403,
  });
  const endpoint = `http://127.0.0.1:${server.port}/${accountName}`;
  return Object.assign(server, {
    endpoint,
    accountName,
    accountKey,
    connectionString: "DefaultEndpointsProtocol=http;" +
      `AccountName=${accountName};AccountKey=${accountKey};BlobEndpoint=${endpoint};`,
  });
}
