// Which failures end the program, as they will not pass by themselves.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isLasting } from "../../_cli/lasting.ts";
import { ExternalError, type ExternalErrorCode } from "../../_errors/external_error.ts";

const failure = (code: ExternalErrorCode, status?: number, cause?: unknown) =>
  new ExternalError(code, "no", { ...(status !== undefined && { status }), cause });
const named = (name: string) => Object.assign(new Error("no"), { name });
const coded = (code: string) => Object.assign(new Error("no"), { code });
const within = (cause: unknown) => new Error("around it", { cause });

test("what nobody may or can do lasts", () => {
  const lasting = [
    ...[400, 401, 403, 404, 405, 407, 410, 414, 501].map((status) => failure("status", status)),
    ...["ENOENT", "ENOTDIR", "EACCES", "EPERM"].map((code) =>
      failure("store", undefined, coded(code))
    ),
    failure("store", 403),
    failure("store", undefined, named("NotCapable")),
    failure("store", undefined, named("CredentialsProviderError")),
    failure("store", undefined, new Error("Region is missing")),
    failure("store", undefined, new Error("Could not load credentials from any providers")),
    failure("store", undefined, new Error("Could not load the default credentials.")),
    failure("store", undefined, within(within(coded("EACCES")))),
  ];
  for (const error of lasting) assert.ok(isLasting(error), JSON.stringify(error));
});

test("what is busy, down or not understood passes", () => {
  const circle: { cause?: unknown } = new Error("a circle");
  circle.cause = circle;
  const passing = [
    ...[408, 409, 412, 425, 429, 500, 502, 503].map((status) => failure("status", status)),
    // A code or status that says more than the cause does.
    failure("network", undefined, coded("ENOENT")),
    failure("timeout", undefined, coded("ENOENT")),
    failure("network", 404),
    failure("store", 503, coded("ENOENT")),
    failure("store", undefined, coded("EBUSY")),
    failure("store", undefined, named("SlowDown")),
    failure("store", undefined, "ENOENT"),
    failure("store", undefined, circle),
    failure("internal"),
  ];
  for (const error of passing) assert.ok(!isLasting(error), JSON.stringify(error));
});
