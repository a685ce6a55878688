// H9: secrets are taken out of URLs, and of texts that hold URLs.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { redactInvalidUrl, redactText, redactUrl, secretsOf } from "../../_errors/redact.ts";
import { workOf } from "./_cpu.ts";

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
  assert.equal(redactText("a cat sat", ["a", "", "at", "cat"]), "a cat sat");
  assert.equal(redactText("1234 of 12345", ["1234"]), "*** of ***5");
  assert.equal(redactText("$& and $1", ["$&  "]), "$& and $1");
  assert.equal(redactText("x.*y", [".*y"]), "x.*y");
});

test("redactText: what is sent as Authorization", () => {
  const cases: [string, string][] = [
    ["sent 'Authorization: Bearer abc.DEF-123_x~y+/=='", "sent 'Authorization: Bearer ***'"],
    ["basic dXNlcjpwYXNz1234== was refused", "basic *** was refused"],
    [
      "Basic authentication is needed, or Bearer tokens",
      "Basic authentication is needed, or Bearer tokens",
    ],
  ];
  for (const [given, shown] of cases) assert.equal(redactText(given), shown);
});

test("redactText: URLs within URLs, whatever their depth", () => {
  let url = "https://u:hunter22@host/";
  for (let depth = 0; depth < 8; depth++) {
    url = `https://proxy/?to=${encodeURIComponent(url)}`;
    assert(!redactText(url).includes("hunter22"), url);
    assert(!redactUrl(new URL(url)).includes("hunter22"), url);
  }
  let plain = "https://host/?page=a b";
  for (let depth = 0; depth < 3; depth++) {
    plain = `https://proxy/?to=${encodeURIComponent(plain)}`;
    assert.equal(redactText(plain), plain, "nothing in it is secret");
  }
  const deeper = `https://proxy/?to=${encodeURIComponent(plain)}`;
  assert.equal(redactText(deeper), "https://proxy/?to=***", "too deep to be looked at");
});

const parts = [
  ";a=",
  "?a=b",
  "&",
  "?",
  "://",
  "a@",
  "@",
  "%3Btoken%3D",
  "://a:",
  ":\\\\",
  "?token=",
  "=",
  ")",
  ").",
  " ",
  "%",
  "%25",
  "25",
  "bearer ",
  "Basic 1",
  "key",
  "aA",
  ":////",
  "'",
  "a:b@",
];

test("redactText takes time linear in the text, and no deep stack", () => {
  for (const part of parts) {
    const text = part.repeat(1_000_000 / part.length);
    const work = workOf(() => {
      redactText(text);
      redactInvalidUrl(text);
    });
    assert(work < 2_000, `${part}: ${work} ms`);
  }
});

test("redactText takes time linear in texts of any parts", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...parts), { minLength: 1, maxLength: 5 }), (some) => {
      const text = some.join("").repeat(100_000 / some.length);
      const work = workOf(() => {
        redactText(text);
        redactText(`?to=${encodeURIComponent(text)}`);
      });
      assert(work < 2_000, `${JSON.stringify(some)}: ${work} ms`);
    }),
    { numRuns: 15 },
  );
});

test("redactText takes time linear in what is encoded again and again", () => {
  let text = "x";
  while (text.length < 500_000) text = `?a=${encodeURIComponent(text)}`;
  const work = workOf(() => {
    redactText(text);
    redactText(`?a=%${"25".repeat(500_000)}`);
  });
  assert(work < 2_000, `${work} ms`);
});

test("redactInvalidUrl: of what is not a URL, what cannot hold a secret", () => {
  const cases: [string, string][] = [
    ["example.com/x", "example.com/x"],
    ["https://exa mple.com/a", "https://exa mple.com/a"],
    ["  https://exa mple.com/\n", "https://exa mple.com/"],
    ["", ""],
    ["http://user:pa/ss@host/x", "http://…"],
    ["http://user:pass", "http://user…"],
    ["http://host:99999/", "http://host…"],
    ["http://[?token=a b", "http://…"],
    ["http://exa mple.com/?token=a b", "http://exa mple.com/…"],
    ["user:pass@host", "…"],
    ["//u:p@[", "…"],
    ["http://user%3Apass%40host/", "http://…"],
    ["http://user:pass＠host/", "http://…"],
  ];
  for (const [given, shown] of cases) assert.equal(redactInvalidUrl(given), shown);
});

test("secretsOf: secret values of a query, as they stand and decoded", () => {
  assert.deepEqual(
    secretsOf(new URL("https://h/?a=1&sig=x%2Fy%3D&token=p+q&b=2")),
    ["x%2Fy%3D", "x/y=", "x/y=", "p+q", "p+q", "p q"],
  );
  assert.deepEqual(secretsOf(new URL("https://h/")), []);
});
