// Both stores with their clients as they are by default, against a server that fails: no process ends, and each failure is told
// as what it is.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import type { IncomingMessage, ServerResponse } from "node:http";
import process from "node:process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { type Scope, serve } from "../http/_http_server.ts";
import { type CloudKind, clouds, isListing } from "./_clouds.ts";

interface Outcome {
  readonly case: string;
  readonly code?: string;
  readonly status?: number;
  readonly retryAfter?: number;
  readonly message?: string;
}

const MODES = ["429", "500", "503", "once-503", "once-reset", "reset", "cut", "hang"];

/** What the worker tells of every call, and that it lived to its end; and how often each was asked for. */
async function runWorker(scope: Scope, cloud: CloudKind): Promise<{
  readonly outcomes: ReadonlyMap<string, Outcome>;
  readonly asked: (method: string, what: RegExp) => number;
}> {
  const seen = new Map<string, number>();
  const { origin } = await serve(scope, (request, response) => {
    const url = decodeURIComponent(request.url ?? "");
    const mode = MODES.toSorted((a, b) => b.length - a.length).find((mode) => url.includes(mode));
    const what = `${request.method} ${url}`;
    const nth = (seen.get(what) ?? 0) + 1;
    seen.set(what, nth);
    request.on("error", () => {}); // cut off on purpose
    request.resume().on("end", () => answer(cloud, mode ?? "", nth, request, response));
  });
  const worker = fileURLToPath(new URL("./_cloud_worker.ts", import.meta.url));
  const run = "Deno" in globalThis ? ["run", "-A", "--no-check"] : [];
  const child = spawn(process.execPath, [...run, worker, cloud.title, origin, ...MODES], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, NO_COLOR: "1" },
  });
  scope.after(() => child.kill("SIGKILL"));
  let [said, complaint] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => said += text);
  child.stderr.setEncoding("utf8").on("data", (text: string) => complaint += text);
  const exit = await new Promise((resolve) => child.once("close", resolve));
  const lines = said.split("\n").filter((line) => line.startsWith("{"));
  const outcomes = new Map(lines.map((line) => [JSON.parse(line).case, JSON.parse(line)]));
  assert.ok(outcomes.has("alive"), `ended with ${exit}: ${complaint.slice(0, 2_000)}`);
  assert.equal(exit, 0, complaint);
  const asked = (method: string, what: RegExp) => {
    const found = [...seen].filter(([request]) => request.startsWith(method) && what.test(request));
    assert.equal(found.length, 1, `${what}: ${found}`);
    return found[0]?.[1] ?? 0;
  };
  return { outcomes, asked };
}

function answer(
  cloud: CloudKind,
  mode: string,
  nth: number,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const { socket } = request;
  // On Deno a write whose connection is reset fails only where the connection is new.
  response.setHeader("connection", "close");
  const failing = mode.startsWith("once-") ? nth === 1 && mode.slice(5) : mode;
  if (failing === "hang") return;
  if (failing === "reset") return void socket.resetAndDestroy();
  if (failing === "cut") {
    response.writeHead(200, { "content-length": 1_000, ...cloud.headers(1) });
    response.write("some", () => setTimeout(() => socket.destroy(), 20));
    return;
  }
  if (failing) {
    response.writeHead(Number(failing), { "retry-after": "7", "content-type": cloud.type });
    response.end(cloud.error(Number(failing), "ServerBusy", "Slow down."));
    return;
  }
  const write = request.method !== "GET";
  const body = write ? cloud.writtenBody(1) : isListing(request) ? cloud.page([]) : "content";
  response.writeHead(write ? cloud.written : 200, {
    "content-type": cloud.type,
    "content-length": body.length,
    ...cloud.headers(1),
  });
  response.end(body);
}

for (const cloud of clouds) {
  test(`${cloud.title}: with the client's defaults a failing server ends no process`, {
    timeout: 60_000,
  }, async (t) => {
    const { outcomes, asked } = await runWorker(t, cloud);
    for (const call of ["list", "get", "put", "create"]) {
      const { code, status, retryAfter } = outcomes.get(`${call} 429`) ?? {};
      assert.deepEqual([call, code, status, retryAfter], [call, "store", 429, 7_000]);
      for (const mode of ["500", "503"]) {
        const { code, status } = outcomes.get(`${call} ${mode}`) ?? {};
        assert.deepEqual([call, code, status], [call, "store", Number(mode)]);
      }
      for (const mode of ["reset", "cut"]) {
        const { code, status, message } = outcomes.get(`${call} ${mode}`) ?? {};
        assert.deepEqual([call, mode, code, status], [call, mode, "network", undefined], message);
      }
      const { code: hanging, message } = outcomes.get(`${call} hang`) ?? {};
      assert.deepEqual([call, hanging], [call, "timeout"], message);
      // Google's client does not repeat a write without a condition.
      const repeats = cloud.title === "AzureStore" || call !== "put";
      for (const mode of ["once-503", "once-reset"]) {
        const { code, message } = outcomes.get(`${call} ${mode}`) ?? {};
        const expected = repeats ? "ok" : mode === "once-503" ? "store" : "network";
        assert.deepEqual([call, mode, code], [call, mode, expected], message);
      }
    }
    const write = cloud.title === "GcsStore" ? "POST" : "PUT";
    const tries = {
      list: asked("GET", /prefix=503/),
      get: asked("GET", /\/503\?/),
      put: asked(write, /[/=]503(\?|&|$)/),
      create: asked(write, /[/=]503\.new/),
    };
    assert.deepEqual(
      tries,
      {
        "GcsStore": { list: 3, get: 3, put: 1, create: 4 },
        "AzureStore": { list: 4, get: 4, put: 4, create: 4 },
      }[cloud.title],
    );
  });
}
