// Installs what the tests against real servers need, as far as this machine allows, and says what it
// did: deno run -A tests/servers/install.ts
// Always ends with 0, and in time: tests skip the servers that are missing, and another run goes on with them.
import process from "node:process";
import { missingApache } from "./apache.ts";
import { installKubernetes } from "./kubernetes.ts";
import { missingLighttpd } from "./lighttpd.ts";
import { missingNginxWebDav } from "./nginx.ts";
import { vitepress } from "../site/_site.ts";
import { gofakes3, moto, s3Proxy, s3rver, s3sFs, versitygw } from "./s3_tools.ts";
import { azurite, fakeGcs, installTool, minio, onPath, promtool, run } from "./tools.ts";
import { wsgiDav } from "./wsgidav.ts";

/** Milliseconds for all of them. */
const LIMIT = 14 * 60_000;

const packages = [
  ...["nginx", "libnginx-mod-http-dav-ext", "rclone"],
  ...["apache2", "lighttpd", "lighttpd-mod-webdav"],
  "chromium",
];
/** Debian starts them when they are installed: the tests start their own, on ports of their own. */
const services = ["nginx", "apache2", "lighttpd"];

console.log(`Debian packages (${packages.join(", ")}): ${await installPackages()}`);
// One after the other: a Go build uses every core by itself. Those that take minutes come last.
const quick = [azurite, s3rver, moto, wsgiDav, s3Proxy, vitepress];
for (const tool of [...quick, fakeGcs, minio, gofakes3, versitygw, promtool, s3sFs]) {
  const start = performance.now();
  const result = await installTool(tool, Math.max(LIMIT - start, 1));
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
  const missing = [await missingNginxWebDav(), await missingApache(), await missingLighttpd()];
  if (
    onPath("rclone") !== undefined && onPath("chromium") !== undefined &&
    missing.every((why) => why === undefined)
  ) {
    return "already installed";
  }
  const apt = onPath("apt-get");
  if (apt === undefined) return "not installed: this machine has no apt-get";
  if (process.getuid?.() !== 0) {
    return `not installed: needs root: apt-get install ${packages.join(" ")}`;
  }
  const begun = services.filter((name) => onPath(name) === undefined);
  const options = { DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" };
  const install = () =>
    run(apt, ["install", "-y", "--no-install-recommends", ...packages], "/", options);
  let failure = await install();
  if (failure !== undefined) {
    // A fresh machine may know no packages yet.
    failure = await run(apt, ["update"], "/", options) ?? await install();
  }
  if (failure !== undefined) return `not installed: ${failure}`;
  const service = onPath("service");
  if (service !== undefined) {
    for (const name of begun) await run(service, [name, "stop"], "/");
  }
  return "installed";
}
