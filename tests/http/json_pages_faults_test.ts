// jsonPages: faults on each page fail the walk, and the next good one tells what is true.
import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { test } from "node:test";
import type { ExternalErrorCode } from "@koprs/external";
import { failure, ids, itemsOf, servePages, told } from "./_json_pages.ts";

const timeout = 10_000;

type Fault = (response: ServerResponse) => unknown;

const cut: Fault = (response) => {
  response.writeHead(200, { "content-length": "100", etag: '"cut"' });
  response.write('[{"id":9}]');
  setTimeout(() => response.destroy(), 5);
};

const faults: [what: string, code: ExternalErrorCode, message: RegExp, fault: Fault][] = [
  ["a body that is cut", "network", /./, cut],
  ["a body that is cut between chunks", "network", /./, (response) => {
    response.write("[");
    setTimeout(() => response.destroy(), 5);
  }],
  ["no answer", "network", /./, (response) => response.destroy()],
  ["an answer that hangs", "timeout", /no complete answer within 500 ms/, () => {}],
  ["a body that hangs", "timeout", /no complete answer within 500 ms/, (response) => {
    response.write("[");
  }],
  ["a body too large", "too-large", /more than 1000 bytes/, (response) => {
    response.end(JSON.stringify(["x".repeat(1000)]));
  }],
  ["no body", "protocol", /a page of 0 bytes that is not JSON/, (response) => response.end()],
  ["a 204", "protocol", /a page of 0 bytes/, (response) => response.writeHead(204).end()],
  ["half a JSON", "protocol", /a page of 8 bytes that is not JSON/, (response) => {
    response.end('[{"id":9');
  }],
  ["an HTML page", "protocol", /not JSON/, (response) => response.end("<html>secret</html>")],
  ["JSON and more", "protocol", /not JSON/, (response) => response.end("[]\n[]")],
  ["text that is not UTF-8", "protocol", /not JSON/, (response) => {
    response.end(new Uint8Array([0x5b, 0x22, 0xff, 0x22, 0x5d]));
  }],
  [
    "an object",
    "invalid",
    /the body is not an array/,
    (response) => response.end('{"error":"no"}'),
  ],
  ["a part", "protocol", /a part of the content, 206/, (response) => {
    response.writeHead(206).end("[]");
  }],
  ["an unknown coding", "protocol", /Content-Encoding 'exotic'/, (response) => {
    response.writeHead(200, { "content-encoding": "exotic" }).end("[]");
  }],
  ["a redirect to itself", "protocol", /redirect loop/, (response) => {
    response.writeHead(302, { location: response.req.url }).end();
  }],
  ["a redirect away from HTTP", "protocol", /redirect to ftp:/, (response) => {
    response.writeHead(302, { location: "ftp://example.com/" }).end();
  }],
  ...[400, 401, 403, 404, 410, 429, 500, 503, 201, 300].map((status): typeof faults[number] => [
    `a ${status}`,
    "status",
    new RegExp(`the server answered ${status}`),
    (response) => response.writeHead(status).end("[]"),
  ]),
];

for (const [what, code, message, fault] of faults) {
  test(`${what}, on each page, first and later`, { timeout }, async (t) => {
    const api = await servePages(t, [ids(1, 2), ids(3), ids(4)]);
    const options = { maxBytes: 1000, ...(code === "timeout" && { timeout: 500 }) };
    for (const broken of [1, 2, 3]) {
      const fresh = itemsOf(api, options);
      const known = itemsOf(api, options);
      assert.equal(await told(known), "added 1, added 2, added 3, added 4");
      api.intercept = (page, _, response) => page === broken && (fault(response), true);
      for (const poller of [fresh, known]) {
        const before = api.requests.length;
        const error = await failure(poller);
        assert.equal(error.code, code, error.message);
        assert.match(error.message, message);
        assert.match(error.message, new RegExp(`\\(page ${broken}\\)$`));
        if (broken > 1) assert(error.message.includes(`: at ${api.origin}/…?page=${broken}: `));
        assert(!error.message.includes("secret"), "a body is not repeated");
        const behind = api.requests.slice(before).filter(({ url }) =>
          url.endsWith(`=${broken + 1}`)
        );
        assert.deepEqual(behind, [], "nothing is asked for behind it");
      }
      api.intercept = () => false;
      assert.equal(await told(fresh), "added 1, added 2, added 3, added 4");
      assert.equal(await told(known), "");
    }
  });
}

test("a Retry-After of any page is the error's", { timeout }, async (t) => {
  const api = await servePages(t, [ids(1), ids(2)]);
  api.intercept = (page, _, response) =>
    page === 2 && !!response.writeHead(503, { "retry-after": "7" }).end();
  const error = await failure(itemsOf(api));
  assert.equal(error.status, 503);
  assert.equal(error.retryAfter, 7_000);
});

test(
  "the error names the page, its URL without secrets, and keeps the cause",
  { timeout },
  async (t) => {
    const api = await servePages(t, [ids(1)]);
    api.intercept = (page, _, response) => {
      if (page !== 1) return !!response.destroy();
      return !!response.setHeader("link", "<?page=2&api_key=hunter2&q=s3cret>; rel=next").end("[]");
    };
    const error = await failure(itemsOf(api, { bearerToken: "s3cret" }));
    assert.match(
      error.message,
      /: at http:\/\/127.*\?page=2&api_key=\*\*\*&q=\*\*\*: .* \(page 2\)$/,
    );
    assert(error.cause instanceof Error);
    assert(!String(error.cause).includes("hunter2"));
  },
);
