// Servers that speak the protocol of S3, each in its own way: what they are, and how to start them.
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { S3, type S3ClientConfig } from "@aws-sdk/client-s3";
import { httpStatus, type Launch, type Place, type ServerProcess, startServer } from "./process.ts";
import { gofakes3, moto, s3Proxy, s3rver, s3sFs, versitygw } from "./s3_tools.ts";
import { type CachedTool, cachedTool, onPath } from "./tools.ts";

/** A server that can be started. */
export interface S3ServerKind {
  readonly name: string;
  readonly tool: CachedTool;
  /** What runs it, if it is no program by itself. */
  readonly runtime?: string;
  readonly launch: (place: Place, program: string, runtime: string) => Launch | Promise<Launch>;
  /** The status of a request for `/` once it is ready. */
  readonly status: number;
  /** Default: keys of its own. */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string };
  /** What the client must be told beside endpoint, region and credentials. */
  readonly config?: S3ClientConfig;
}

/** A running server. */
export interface S3Server extends ServerProcess {
  /** A client for it. */
  connect(config?: S3ClientConfig): S3;
}

const credentials = { accessKeyId: "koprs-key", secretAccessKey: "koprs-secret-access-key" };

/** Servers that do not know the checksums which newer clients send. */
const withoutChecksums = {
  requestChecksumCalculation: "WHEN_REQUIRED",
  responseChecksumValidation: "WHEN_REQUIRED",
} as const satisfies S3ClientConfig;

export const motoServer: S3ServerKind = {
  name: "moto",
  tool: moto,
  runtime: "python3",
  launch: ({ port }, program, python) => ({
    command: python,
    args: ["-m", "moto.server", "-H", "127.0.0.1", "-p", String(port)],
    env: { PYTHONPATH: dirname(dirname(program)), PYTHONDONTWRITEBYTECODE: "1" },
  }),
  status: 200,
};

export const versityServer: S3ServerKind = {
  name: "versitygw",
  tool: versitygw,
  launch: async ({ port, folder }, command) => {
    await mkdir(join(folder, "data"), { recursive: true });
    await mkdir(join(folder, "sidecar"), { recursive: true });
    return {
      command,
      args: [
        ...["--port", `127.0.0.1:${port}`, "--quiet"],
        ...["posix", "--sidecar", join(folder, "sidecar"), join(folder, "data")],
      ],
      env: {
        ROOT_ACCESS_KEY: credentials.accessKeyId,
        ROOT_SECRET_KEY: credentials.secretAccessKey,
      },
    };
  },
  status: 403,
};

export const gofakesServer: S3ServerKind = {
  name: "gofakes3",
  tool: gofakes3,
  launch: ({ port }, command) => ({
    command,
    args: ["-backend", "memory", "-host", `127.0.0.1:${port}`],
  }),
  status: 200,
};

export const s3rverServer: S3ServerKind = {
  name: "s3rver",
  tool: s3rver,
  runtime: "node",
  launch: async ({ port, folder }, program, node) => {
    await mkdir(join(folder, "data"), { recursive: true });
    return {
      command: node,
      args: [program, "-a", "127.0.0.1", "-p", String(port), "-d", join(folder, "data")],
      env: { NODE_OPTIONS: "--openssl-legacy-provider" },
    };
  },
  status: 200,
  credentials: { accessKeyId: "S3RVER", secretAccessKey: "S3RVER" },
};

export const s3sServer: S3ServerKind = {
  name: "s3s-fs",
  tool: s3sFs,
  launch: async ({ port, folder }, command) => {
    await mkdir(join(folder, "data"), { recursive: true });
    const { accessKeyId, secretAccessKey } = credentials;
    return {
      command,
      args: [
        ...["--host", "127.0.0.1", "--port", String(port)],
        ...["--access-key", accessKeyId, "--secret-key", secretAccessKey, join(folder, "data")],
      ],
    };
  },
  status: 403,
};

export const s3ProxyServer: S3ServerKind = {
  name: "S3Proxy",
  tool: s3Proxy,
  runtime: "java",
  launch: async ({ port, folder }, jar, java) => {
    await mkdir(join(folder, "data"), { recursive: true });
    const settings = join(folder, "s3proxy.conf");
    await writeFile(
      settings,
      `s3proxy.endpoint=http://127.0.0.1:${port}\ns3proxy.authorization=none\n` +
        "jclouds.provider=filesystem-nio2\njclouds.identity=none\njclouds.credential=none\n" +
        `jclouds.filesystem.basedir=${join(folder, "data")}\n`,
    );
    // Without a locale of UTF-8 Java takes no other file names than ASCII.
    const env = { LC_ALL: "C.UTF-8" };
    const quick = ["-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"];
    return { command: java, args: [...quick, "-jar", jar, "--properties", settings], env };
  },
  status: 200,
  config: withoutChecksums,
};

/** Why a server cannot be started, or undefined. */
export async function missingServer({ tool, runtime }: S3ServerKind): Promise<string | undefined> {
  if (runtime !== undefined && onPath(runtime) === undefined) return `${runtime} is not installed`;
  const found = await cachedTool(tool);
  return "missing" in found ? found.missing : undefined;
}

export async function startS3Server(kind: S3ServerKind): Promise<S3Server> {
  const { name, tool, runtime, launch, status } = kind;
  const found = await cachedTool(tool);
  if ("missing" in found) throw new Error(`Cannot start ${name}: ${found.missing}`);
  const server = await startServer({
    name,
    launch: (place) =>
      launch(place, found.path, runtime === undefined ? "" : onPath(runtime) ?? runtime),
    ready: async ({ port }) => await httpStatus(port, "/") === status,
    startTimeout: 60_000, // of a Java program on a busy machine
  });
  return Object.assign(server, {
    connect: (config: S3ClientConfig = {}) =>
      new S3({
        endpoint: `http://127.0.0.1:${server.port}`,
        forcePathStyle: true,
        region: "us-east-1",
        credentials: kind.credentials ?? credentials,
        maxAttempts: 2,
        ...kind.config,
        ...config,
      }),
  });
}
