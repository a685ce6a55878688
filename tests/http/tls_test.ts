// A server with a private CA that asks for a client certificate, each runtime with the fetch it has for that.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { before, test } from "node:test";
import type { TLSSocket } from "node:tls";
import { fileURLToPath } from "node:url";
import { HttpPoller } from "@koprs/external";
import {
  type Certificate,
  issueForClient,
  issueForLocalhost,
  makeAuthority,
} from "./_authority.ts";
import { failure, poll, type Scope } from "./_http_server.ts";

const timeout = 20_000;

/** What a fetch needs to know of TLS. */
interface Trust {
  readonly ca?: string;
  readonly client?: Certificate;
}

let ca: string;
let server: Certificate;
let client: Certificate;
let stranger: Certificate;

before(async () => {
  const authority = await makeAuthority("Test CA");
  ca = authority.pem;
  server = await issueForLocalhost(authority);
  client = await issueForClient(authority);
  const other = await makeAuthority("Another CA");
  stranger = await issueForClient(other);
});

test("a private CA and a client certificate, through fetch", { timeout }, async (t) => {
  const { url, clients } = await serveTls(t);
  const fetch = await fetchWith(t, { ca, client });
  const poller = new HttpPoller(url, { fetch, bearerToken: "t" });
  const [event] = await poll(poller);
  assert.equal(event?.item.text(), "for operators");
  assert.deepEqual(await poll(poller), []);
  assert.deepEqual(clients, [true, true]);
});

const refused: [string, () => Trust][] = [
  ["the CA", () => ({ client })],
  ["the client certificate", () => ({ ca })],
  ["a client certificate of the CA", () => ({ ca, client: stranger })],
];
for (const [what, trust] of refused) {
  test(`without ${what} a poll fails with code network`, { timeout }, async (t) => {
    const { url, clients } = await serveTls(t);
    const fetch = await fetchWith(t, trust());
    const error = await failure(new HttpPoller(url, { fetch }));
    assert.equal(error.code, "network", error.message);
    assert.equal(clients.length, 0);
  });
}

test("the runtime's own fetch does not trust the CA", { timeout }, async (t) => {
  const { url } = await serveTls(t);
  const error = await failure(new HttpPoller(url));
  assert.equal(error.code, "network");
  assert.match(error.message, /certificate|UnknownIssuer/i, "the message says why");
});

test("a certificate for another name is refused", { timeout }, async (t) => {
  const { url } = await serveTls(t);
  const fetch = await fetchWith(t, { ca, client });
  const error = await failure(new HttpPoller(url.replace("127.0.0.1", "127.0.0.2"), { fetch }));
  assert.equal(error.code, "network");
});

const skip = "Deno" in globalThis ? false : "the example is for Deno";
test("examples/tls.ts watches such a server", { timeout, skip }, async (t) => {
  const { url } = await serveTls(t);
  const folder = await mkdtemp(join(tmpdir(), "koprs-external-tls-"));
  t.after(() => rm(folder, { recursive: true }));
  const files = { "ca.pem": ca, "client.pem": client.cert, "client.key": client.key };
  const paths = Object.keys(files).map((name) => join(folder, name));
  await Promise.all(Object.values(files).map((pem, i) => writeFile(paths[i]!, pem)));
  const example = fileURLToPath(new URL("../../examples/tls.ts", import.meta.url));
  const program = spawn(process.execPath, ["run", "-A", "--no-check", example, url, ...paths]);
  t.after(() => program.kill("SIGKILL"));
  const [output] = await once(program.stdout, "data");
  assert.equal(String(output), `added ${url}\n`);
});

async function serveTls(scope: Scope): Promise<{ url: string; clients: boolean[] }> {
  const clients: boolean[] = [];
  const options = { ...server, ca, requestCert: true, rejectUnauthorized: true };
  const https = createServer(options, (request, response) => {
    clients.push((request.socket as TLSSocket).authorized);
    response.end("for operators");
  });
  https.on("tlsClientError", () => {}); // The refusals that are tested.
  await new Promise<void>((resolve) => https.listen(0, "0.0.0.0", resolve));
  scope.after(() =>
    new Promise<void>((resolve) => {
      https.close(() => resolve());
      https.closeAllConnections();
    })
  );
  return { url: `https://127.0.0.1:${(https.address() as AddressInfo).port}/`, clients };
}

/** A fetch of this runtime that trusts the CA and shows the certificate: what the README tells users. */
async function fetchWith(scope: Scope, trust: Trust): Promise<typeof fetch> {
  if ("Deno" in globalThis) {
    const client = Deno.createHttpClient({
      ...(trust.ca !== undefined && { caCerts: [trust.ca] }),
      ...trust.client,
    });
    scope.after(() => client.close());
    return (input, init) => fetch(input, plus(init, { client }));
  }
  if ("Bun" in globalThis) {
    const tls = { ...(trust.ca !== undefined && { ca: trust.ca }), ...trust.client };
    return (input, init) => fetch(input, plus(init, { tls }));
  }
  // The fetch of the same undici: an agent of one version does not fit the one that is built into Node.
  const undici = await import("undici");
  const dispatcher = new undici.Agent({ connect: { ca: trust.ca, ...trust.client } });
  scope.after(() => dispatcher.destroy());
  const fetchOfUndici = undici.fetch as unknown as typeof fetch;
  return (input, init) => fetchOfUndici(input, plus(init, { dispatcher }));
}

/** Each runtime has a field of its own in what its fetch is given. */
function plus(init: RequestInit | undefined, extra: object): RequestInit {
  return { ...init, ...extra };
}
