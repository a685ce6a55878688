// Installs what the tests against real servers need, as far as this machine allows, and says what it
// did: deno run -A tests/servers/install.ts
// Always ends with 0: tests skip the servers that are missing.
import process from "node:process";
import { installKubernetes } from "./kubernetes.ts";
import { missingNginxWebDav } from "./nginx.ts";
import { azurite, fakeGcs, installTool, minio, onPath, run } from "./tools.ts";

const packages = ["nginx", "libnginx-mod-http-dav-ext", "rclone"];

console.log(`Debian packages (${packages.join(", ")}): ${await installPackages()}`);
// One after the other: a Go build uses every core by itself.
for (const tool of [azurite, fakeGcs, minio]) {
  const start = performance.now();
  const result = await installTool(tool);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(
    `${tool.name} ${tool.version}: ` +
      ("path" in result ? `ready at ${result.path}` : `not installed: ${result.missing}`) +
      ` (${seconds} s)`,
  );
}

const start = performance.now();
const kubernetes = await installKubernetes();
console.log(
  "kube-apiserver and etcd: " +
    ("path" in kubernetes
      ? `ready at ${kubernetes.path}`
      : `not installed: ${kubernetes.missing}`) +
    ` (${((performance.now() - start) / 1000).toFixed(1)} s)`,
);

async function installPackages(): Promise<string> {
  if (onPath("rclone") !== undefined && await missingNginxWebDav() === undefined) {
    return "already installed";
  }
  const apt = onPath("apt-get");
  if (apt === undefined) return "not installed: this machine has no apt-get";
  if (process.getuid?.() !== 0) {
    return `not installed: needs root: apt-get install ${packages.join(" ")}`;
  }
  // Debian starts nginx when it is installed: the tests start their own, on ports of their own.
  const hadNginx = onPath("nginx") !== undefined;
  const options = { DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" };
  const install = () =>
    run(apt, ["install", "-y", "--no-install-recommends", ...packages], "/", options);
  let failure = await install();
  if (failure !== undefined) {
    // A fresh machine may know no packages yet.
    failure = await run(apt, ["update"], "/", options) ?? await install();
  }
  if (failure !== undefined) return `not installed: ${failure}`;
  if (hadNginx) return "installed";
  const service = onPath("service");
  if (service !== undefined) await run(service, ["nginx", "stop"], "/");
  return "installed";
}
