// H9: no secret in a name, message, cause, stack, log line or status, whatever fails.
import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import fc from "fast-check";
import { ExternalError, HttpPoller, watchExternal } from "@koprs/external";
import type { HttpPollerOptions } from "@koprs/external/http";
import { serve } from "./_http_server.ts";

const timeout = 30_000;

/** Everything a user can get to see of an error: also what printing it shows. */
function shown(error: unknown): string {
  const parts: string[] = [inspect(error, { depth: 10, showHidden: true })];
  for (let at = error, depth = 0; at instanceof Error && depth < 10; at = at.cause, depth++) {
    parts.push(at.name, at.message, String(at.stack), String(at), JSON.stringify(at));
  }
  return parts.join("\n");
}

/** The ways a request can fail, told what is secret. */
const leaks:
  ((url: string, init: RequestInit, secrets: string[]) => Promise<Response> | Response)[] = [
    (url, init) =>
      Promise.reject(
        new TypeError(`error sending request for url (${url}): ${JSON.stringify(init)}`),
      ),
    (url) =>
      Promise.reject(new TypeError("fetch failed", { cause: new Error(`connect to "${url}"`) })),
    (_url, _init, secrets) => Promise.reject(new Error(secrets.join(" "))),
    (_url, _init, secrets) => Promise.reject(secrets.join(", ")),
    (_url, init, secrets) =>
      Promise.reject(Object.assign(new Error("x"), { init, secrets, code: secrets[0] })),
    (_url, _init, secrets) =>
      Promise.reject(new AggregateError(secrets.map((s) => new Error(s)), "all failed")),
    (_url, _init, secrets) => {
      const error = new Error("thrown");
      error.stack = `Error: thrown\n at ${secrets.join("\n at ")}`;
      error.name = secrets[0] ?? "";
      throw error;
    },
    () => new Response("no", { status: 403 }),
    () => new Response("no", { status: 302, headers: { location: "/?" } }),
    (url) => new Response(null, { status: 302, headers: { location: url } }),
    (_url, _init, secrets) =>
      new Response(null, {
        status: 302,
        headers: { location: `ftp://h/${encodeURI(secrets[0] ?? "")}` },
      }),
    (_url, _init, secrets) =>
      new Response("x", { headers: { "content-encoding": encodeURI(secrets[0] ?? "") } }),
    (url, _init, secrets) =>
      new Response(
        new ReadableStream({ pull: (c) => c.error(new Error(`broken: ${url} ${secrets.join()}`)) }),
      ),
    (_url, _init, secrets) => new Response(secrets.join("\n")), // for `validate`, which repeats it
    () => new Response("x".repeat(2_000)),
    () => new Promise(() => {}),
  ];

const word = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._~-]{8,20}$/);
// Of everything that a query or a password may hold, encoded or not.
const odd = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9()!$'*,;:=+\/ ?@-]{8,20}[A-Za-z0-9]$/);

test("H9: whatever fails, nothing that can be seen holds a secret", { timeout }, async () => {
  const parameters = [
    "token",
    "X-Amz-Signature",
    "sig",
    "api_key",
    "client_secret",
    "access_token",
  ];
  const property = fc.asyncProperty(
    fc.record({
      user: word,
      password: odd,
      parameter: fc.constantFrom(...parameters),
      value: odd,
      encode: fc.boolean(),
      header: word,
      headerName: fc.constantFrom(
        "X-Api-Key",
        "X-Anything",
        "Cookie",
        "Private-Token",
        "Authorization",
      ),
      token: word,
      useToken: fc.boolean(),
      leak: fc.nat(leaks.length - 1),
    }),
    async (given) => {
      const { user, password, parameter, value, encode, header, headerName, token, leak } = given;
      const useToken = given.useToken && headerName !== "Authorization";
      const url = new URL(`https://example.com/path?page=1&${parameter}=VALUE&z=2`);
      url.username = user;
      url.password = password;
      url.search = url.search.replace(
        "VALUE",
        () => encode ? encodeURIComponent(value) : value.replace(/[ &#;?@]/g, "_"),
      );
      const plain = encode ? value : value.replace(/[ &#;?@]/g, "_");
      const sent = headerName === "Cookie"
        ? `id=${header}; theme=dark`
        : headerName === "Authorization"
        ? `Custom ${header}`
        : header;
      const secrets = [user, password, plain, header, ...(useToken ? [token] : [])];
      const options: HttpPollerOptions = {
        headers: { [headerName]: sent, "Accept": "text/plain" },
        ...(useToken && { bearerToken: () => token }),
        timeout: 15,
        maxBytes: 1_000,
        validate: (resource) => {
          throw new Error(`refused ${resource.text()}`, { cause: resource.text() });
        },
        fetch: async (input, init) => await leaks[leak]!(String(input), init ?? {}, secrets),
      };
      const poller = new HttpPoller(url, options);
      const lines: string[] = [];
      const log = (line: string) => void lines.push(line);
      const aborter = new AbortController();
      const errors: unknown[] = [];
      const watch = watchExternal(poller, {
        interval: 1_000,
        signal: aborter.signal,
        logger: { debug: log, info: log, warn: log, error: log },
        onError: (error) => {
          errors.push(error);
          aborter.abort();
        },
      });
      await watch.getReader().read().catch(() => {});
      assert.equal(errors.length, 1);
      assert(errors[0] instanceof ExternalError);
      const seen = [
        poller.name,
        ...errors.map(shown),
        ...lines,
        inspect(watch.status, { depth: 10 }),
      ].join("\n");
      for (const secret of secrets) {
        for (const form of [secret, encodeURIComponent(secret), encodeURI(secret)]) {
          assert(!seen.includes(form), `'${form}' shows, leak ${leak}:\n${seen}`);
        }
      }
      const basic = btoa(`${user}:${password}`);
      assert(!seen.includes(basic));
    },
  );
  await fc.assert(property, { numRuns: 400 });
});

test(
  "H9: the runtime's own fetch, refused and cut off, shows no secret",
  { timeout },
  async (t) => {
    const server = await serve(t, (request) => request.socket.destroy());
    for (const origin of [server.origin, "http://127.0.0.1:1", "http://no-such-host.invalid"]) {
      const poller = new HttpPoller(
        `${origin.replace("//", "//us3r:pa55word@")}/?token=t0kenvalue&page=1`,
        {
          headers: { "X-Key": "h3adervalue" },
          timeout: 5_000,
        },
      );
      assert.equal(poller.name, `${origin}/?token=***&page=1`);
      const error = await poller.poll({ signal: new AbortController().signal }).then(
        () => assert.fail("no failure"),
        (thrown) => thrown,
      );
      assert(!/us3r|pa55word|t0kenvalue|h3adervalue|dXMzcjpwYTU1/.test(shown(error)), shown(error));
    }
  },
);
