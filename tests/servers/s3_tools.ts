// Servers that speak the protocol of S3, each in its own way, and how to have them.
import type { CachedTool } from "./tools.ts";
import { goTool, npmTool } from "./tools.ts";

/** moto, a fake of Amazon's services in Python. */
export const moto: CachedTool = {
  name: "moto",
  version: "5.2.5",
  program: "moto/server.py",
  installer: "python3",
  installerMissing: "Python is not installed",
  install: (folder) => ({
    args: [
      ...["-m", "pip", "install", "--quiet", "--disable-pip-version-check"],
      // Its extra "server" is for all services, and three times as large.
      ...["--target", folder, "moto[s3]==5.2.5", "flask", "flask-cors"],
    ],
  }),
  unasked: false,
};

/** The Versity gateway: a folder as a bucket. */
export const versitygw: CachedTool = goTool(
  "versitygw",
  "github.com/versity/versitygw/cmd/versitygw",
  "v1.8.0",
);

/** gofakes3, which rclone serves S3 by. */
export const gofakes3: CachedTool = goTool(
  "gofakes3",
  "github.com/johannesboyne/gofakes3/cmd/gofakes3",
  "v1.2.0",
);

/** S3rver, a fake on a folder, in JavaScript. */
export const s3rver: CachedTool = npmTool("s3rver", "3.7.1", "bin/s3rver.js");

/** s3s-fs: a folder as a bucket, in Rust. 0.14.1 is the last version for Rust 1.92. */
export const s3sFs: CachedTool = {
  name: "s3s-fs",
  version: "0.14.1",
  program: "bin/s3s-fs",
  installer: "cargo",
  installerMissing: "Rust is not installed",
  install: (folder) => ({
    args: [
      ...["install", "s3s-fs@0.14.1", "--features", "binary", "--locked"],
      ...["--quiet", "--no-track", "--root", folder],
    ],
  }),
  unasked: false,
};

/** S3Proxy: any store of jclouds, here a folder. */
export const s3Proxy: CachedTool = {
  name: "s3proxy",
  version: "2.6.0",
  program: "s3proxy-2.6.0-jar-with-dependencies.jar",
  installer: "mvn",
  installerMissing: "Maven is not installed",
  install: (folder) => ({
    args: [
      ...["--quiet", "--batch-mode", "dependency:copy"],
      "-Dartifact=org.gaul:s3proxy:2.6.0:jar:jar-with-dependencies",
      `-DoutputDirectory=${folder}`,
    ],
  }),
  unasked: false,
};
