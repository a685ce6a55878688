// H9: no secret in a name, message, cause, stack, log line or status.
import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import fc from "fast-check";
import { ExternalError, HttpPoller, watchExternal } from "@koprs/external";
import type { HttpPollerOptions } from "@koprs/external/http";
import {
  isSecretName,
  reasonOf,
  redactError,
  redactInvalidUrl,
  redactText,
  redactUrl,
  secretsOf,
  withoutSecrets,
} from "../../_errors/redact.ts";
import { serve } from "../http/_http_server.ts";

const timeout = 30_000;

test("names of query parameters that carry credentials", () => {
  const secret = [
    "token",
    "access_token",
    "refresh_token",
    "id_token",
    "auth_token",
    "authToken",
    "private-token",
    "X-Amz-Signature",
    "X-Amz-Credential",
    "X-Amz-Security-Token",
    "X-Goog-Signature",
    "X-Goog-Credential",
    "Signature",
    "sig",
    "AWSAccessKeyId",
    "GoogleAccessId",
    "key",
    "api_key",
    "api-key",
    "apikey",
    "apiKey",
    "API.KEY",
    "subscription-key",
    "client_secret",
    "secret",
    "password",
    "passwd",
    "pwd",
    "pass",
    "passphrase",
    "code",
    "auth",
    "authorization",
    "jwt",
    "sas",
    "session",
    "sessionid",
    "sid",
    "nonce",
    "credentials",
    "auth[token]",
    "to%6ben",
    "%74oken",
    "api%5Fkey",
    "tok%en",
    "assertion",
    "client_assertion",
    "bearer",
    "otp",
    "sign",
    "hmac",
    "ticket",
  ];
  const open = [
    "page",
    "limit",
    "q",
    "prefix",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-Algorithm",
    "sv",
    "se",
    "sp",
    "version",
    "format",
    "lang",
    "zipcode2",
    "country-codes",
    "author",
    "passenger",
    "signal",
    "keyword",
    "keys",
    "design",
    "assigned",
    "",
  ];
  for (const name of secret) assert(isSecretName(name), name);
  for (const name of open) assert(!isSecretName(name), name);
});

test("redactUrl: user info, fragment and secret values go; the rest stays as it is", () => {
  const cases: [string, string][] = [
    ["https://h/p?a=1&b=2", "https://h/p?a=1&b=2"],
    ["https://u:p@h:8080/p", "https://h:8080/p"],
    ["https://u@h/", "https://h/"],
    ["https://u'u:p'p@h/", "https://h/"],
    ["https://:p@h/#frag", "https://h/"],
    ["https://h/?sig=a%2Fb%3D&x=1", "https://h/?sig=***&x=1"],
    ["https://h/?x=1&sig=", "https://h/?x=1&sig=***"],
    ["https://h/?sig=a=b=c", "https://h/?sig=***"],
    ["https://h/?sig=a(b)c", "https://h/?sig=***"],
    ["https://h/?sig=a;b", "https://h/?sig=***"],
    ["https://h/?x=1;sig=a", "https://h/?x=1;sig=***"],
    ["https://h/?x=1?sig=a", "https://h/?x=1?sig=***"],
    ["https://h/?sig", "https://h/?sig"],
    ["https://h/?url=https%3A%2F%2Fu%3Ap%40o%2F&x=1", "https://h/?url=***&x=1"],
    ["https://h/?url=https%3A%2F%2Fo%2F%3Fsig%3Da", "https://h/?url=***"],
    [
      "https://h/?url=https%3A%2F%2Fo%2F%3Fpage%3D1",
      "https://h/?url=https%3A%2F%2Fo%2F%3Fpage%3D1",
    ],
    ["https://h/http://u:p@o/", "https://h/http://o/"],
    ["https://h/a@b/c?d=e@f", "https://h/a@b/c?d=e@f"],
  ];
  for (const [given, shown] of cases) assert.equal(redactUrl(new URL(given)), shown);
});

test("redactText: URLs in the text of an error", () => {
  const cases: [string, string][] = [
    [
      "error for url (https://u:p@h/?token=abc): refused",
      "error for url (https://h/?token=***): refused",
    ],
    ["error for url (https://h/?token=abc)", "error for url (https://h/?token=***)"],
    ['fetching "https://h/?a=1&sig=abc". For more', 'fetching "https://h/?a=1&sig=***". For more'],
    ["'https://h/?sig=abc#x' and https://u@h", "'https://h/?sig=***#x' and https://h"],
    ["to https://h/cb#access_token=abc&x=1", "to https://h/cb#access_token=***&x=1"],
    [
      "nothing secret: a@b.c, 1 & 2 = 3, what? yes=no",
      "nothing secret: a@b.c, 1 & 2 = 3, what? yes=no",
    ],
    ["", ""],
  ];
  for (const [given, shown] of cases) {
    assert.equal(redactText(given), shown);
    assert.equal(redactText(shown), shown, "twice is the same");
  }
});

test("redactText: known secrets, the longest first, very short ones not", () => {
  assert.equal(redactText("a s3cret b s3cret", ["s3cret"]), "a *** b ***");
  assert.equal(redactText("s3cret-and-more", ["s3cret", "s3cret-and-more"]), "***");
  assert.equal(redactText("a cat sat", ["a", "", "at"]), "a cat sat");
  assert.equal(redactText("$& and $1", ["$&  "]), "$& and $1");
  assert.equal(redactText("x.*y", [".*y"]), "x.*y");
});

test("redactText takes time linear in the text, and no deep stack", () => {
  for (
    const part of [";a=", "?a=b", "&", "://", "a@", "%3Btoken%3D", "://a:", "?token=", "=", ")"]
  ) {
    const text = part.repeat(200_000);
    const start = performance.now();
    redactText(text);
    assert(performance.now() - start < 2_000, part);
  }
});

test("redactInvalidUrl: of what is no URL, what cannot hold a secret", () => {
  const cases: [string, string][] = [
    ["http://user:pa/ss@host/x", "http://host/x"],
    ["http://user:pa ss@ho st/", "http://ho st/"],
    ["user:pass@host", "user:host"],
    ["http://[?token=a b", "http://[?…"],
    ["//u:p@[", "//["],
    ["example.com/x", "example.com/x"],
    ["", ""],
  ];
  for (const [given, shown] of cases) assert.equal(redactInvalidUrl(given), shown);
  for (
    const url of [
      "http://user:hunter22/x@h:p",
      "http://h:x/?sig=hunter22",
      "http:\\\\a:hunter22@[",
      "hunter22@h",
    ]
  ) {
    assert.throws(() => new HttpPoller(url), (error) => !inspect(error).includes("hunter22"));
  }
});

test("secretsOf: secret values of a query, as they stand and decoded", () => {
  assert.deepEqual(
    secretsOf(new URL("https://h/?a=1&sig=x%2Fy%3D&token=p+q&b=2")),
    ["x%2Fy%3D", "x/y=", "x/y=", "p+q", "p+q", "p q"],
  );
  assert.deepEqual(secretsOf(new URL("https://h/")), []);
});

test("redactError copies name, code, message, stack and causes, and nothing else", () => {
  const inner = Object.assign(new TypeError("inner s3cret"), { code: "ECONNREFUSED" });
  const outer = Object.assign(new Error("outer https://u:p@h/?sig=x", { cause: inner }), {
    config: { headers: { authorization: "Bearer s3cret" } },
    code: 7,
  });
  const copy = redactError(outer, ["s3cret"]) as Error & {
    code: number;
    cause: Error & { code: string };
  };
  assert.notEqual(copy, outer);
  assert.equal(copy.message, "outer https://h/?sig=***");
  assert.equal(copy.code, 7);
  assert.equal(copy.cause.name, "TypeError");
  assert.equal(copy.cause.message, "inner ***");
  assert.equal(copy.cause.code, "ECONNREFUSED");
  assert(!inspect(copy).includes("s3cret"));
  assert(!("config" in copy));
  assert.equal(outer.message, "outer https://u:p@h/?sig=x", "the original is untouched");
});

test("redactError: aggregates, causes that are no errors, circles, junk", () => {
  const aggregate = new AggregateError([new Error("first s3cret"), new Error("second")], "");
  assert.equal(
    (redactError(aggregate, ["s3cret"]) as Error & { cause: Error }).cause.message,
    "first ***",
  );
  assert.equal(redactError("a s3cret", ["s3cret"]), "a ***");
  assert.equal(redactError(undefined), "undefined");
  assert.equal(redactError(Object.create(null)), "an unprintable value");
  const circle = new Error("circle");
  circle.cause = circle;
  assert.equal((redactError(circle) as Error).message, "circle");
  const junk = Object.assign(new Error("x"), {
    message: { a: 1 },
    name: undefined,
    stack: 5,
    code: {},
  });
  assert.equal((redactError(junk) as Error).message, "[object Object]");
});

test("reasonOf: the messages down to the innermost cause, each once", () => {
  const inner = new Error("connection refused");
  assert.equal(
    reasonOf(new Error("fetch failed", { cause: inner })),
    "fetch failed: connection refused",
  );
  assert.equal(
    reasonOf(new Error("failed: connection refused", { cause: inner })),
    "failed: connection refused",
  );
  assert.equal(reasonOf(new AggregateError([inner], "")), "AggregateError: connection refused");
  assert.equal(reasonOf("text"), "text");
  assert.equal(reasonOf(new Error("")), "Error");
  const circle = new Error("circle");
  circle.cause = circle;
  assert.equal(reasonOf(circle), "circle");
});

test("withoutSecrets: the error itself unless something in it is secret", () => {
  const clean = new RangeError("clean", { cause: "a string" });
  assert.equal(withoutSecrets(clean), clean);
  for (
    const dirty of [
      new Error("https://u:pw@h"),
      new Error("x", { cause: new Error("https://u:pw@h") }),
      new Error("x", { cause: "https://u:pw@h" }),
      new AggregateError([new Error("a"), new Error("https://u:pw@h")], "x"),
      "https://u:pw@h",
    ]
  ) assert(!inspect(withoutSecrets(dirty)).includes("pw"), inspect(dirty));
  assert.equal((withoutSecrets(new Error("key k3y!"), ["k3y!"]) as Error).message, "key ***");
});

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
