// jsonPages: headers and tokens of the caller go to the origin of the URL, as long as no other was met.
import assert from "node:assert/strict";
import { test } from "node:test";
import { jsonPages } from "@koprs/external";
import { serve, type TestServer } from "./_http_server.ts";
import { failure, ids, itemsOf, servePages, told } from "./_json_pages.ts";

const timeout = 10_000;
const credentials = { bearerToken: "t0ken", headers: { "X-Api-Key": "hunter2" } };

/** Which requests had the caller's credentials, and which had none; a part of them is an error. */
function trusted(server: TestServer): boolean[] {
  return server.requests.map(({ headers }) => {
    const sent = [headers["authorization"], headers["x-api-key"]];
    if (sent.every((value) => value === undefined)) return false;
    assert.deepEqual(sent, ["Bearer t0ken", "hunter2"]);
    return true;
  });
}

test("every page of the origin gets the token", { timeout }, async (t) => {
  const api = await servePages(t, [ids(1), ids(2), ids(3)]);
  const poller = itemsOf(api, credentials);
  await told(poller);
  await told(poller);
  assert.deepEqual(trusted(api), [true, true, true, true, true, true]);
});

test("a token that expires between pages is renewed, once a page", { timeout }, async (t) => {
  const api = await servePages(t, [ids(1), ids(2), ids(3)]);
  const valid = ["t1", "t3", "t3"];
  api.intercept = (page, { headers }, response) =>
    headers["authorization"] !== `Bearer ${valid[page - 1]}` && !!response.writeHead(401).end();
  let asked = 0;
  const tokens = ["t1", "t2", "t3", "t3"];
  const bearerToken = () => tokens[asked++] ?? "none";
  assert.equal(await told(itemsOf(api, { bearerToken })), "added 1, added 2, added 3");
  assert.equal(asked, 4);
  const error = await failure(itemsOf(api, { bearerToken }));
  assert.equal(error.status, 401);
  assert.match(error.message, /check the credentials.* \(page 1\)$/);
  assert.equal(asked, 6);
});

/** Two servers: page 1 of the first leads by `how` to the second, whose page leads back to the first. */
async function detour(
  t: Parameters<typeof serve>[0],
  how: "link" | "redirect",
): Promise<{ own: TestServer; foreign: TestServer }> {
  const foreign = await serve(t, (request, response) => {
    const known = request.headers["if-none-match"] === '"f"';
    response.setHeader("etag", '"f"').setHeader("link", `<${own.origin}/back>; rel=next`);
    response.writeHead(known ? 304 : 200).end(known ? undefined : JSON.stringify(ids("foreign")));
  });
  const own: TestServer = await serve(t, ({ url }, response) => {
    if (url === "/items" && how === "redirect") {
      return response.writeHead(302, { location: `${foreign.origin}/` }).end();
    }
    const next = url === "/items" ? `${foreign.origin}/` : url === "/back" ? "/last" : undefined;
    if (next !== undefined) response.setHeader("link", `<${next}>; rel=next`);
    response.setHeader("etag", `"${url}"`).end(JSON.stringify(ids(url ?? "")));
  });
  return { own, foreign };
}

for (const how of ["link", "redirect"] as const) {
  test(`behind another origin, met by a ${how}, the walk has no credentials any more`, {
    timeout,
  }, async (t) => {
    const { own, foreign } = await detour(t, how);
    const poller = itemsOf(own, credentials);
    // Also where pages are answered with 304.
    for (let nth = 1; nth <= 3; nth++) {
      await told(poller);
      assert.deepEqual(trusted(foreign).slice(nth - 1), [false]);
      assert.deepEqual(trusted(own).slice(3 * (nth - 1)), [true, false, false]);
    }
  });
}

test("the next walk begins with credentials again", { timeout }, async (t) => {
  const api = await servePages(t, [ids(1), ids(2)]);
  const foreign = await serve(t, (_, response) => response.end("[]"));
  const poller = itemsOf(api, credentials);
  api.intercept = (page, _, response) =>
    page === 1 && !!response.writeHead(302, { location: foreign.origin }).end();
  await told(poller);
  api.intercept = () => false;
  assert.equal(await told(poller), "added 1, added 2");
  assert.deepEqual(trusted(api), [true, true, true]);
});

test("user info of the URL goes to its origin, and user info of a link to nobody", {
  timeout,
}, async (t) => {
  const api = await servePages(t, [ids(1), ids(2)]);
  api.intercept = (page, _, response) => {
    if (page !== 1) return false;
    const link = `<http://other:word@${api.origin.slice(7)}/items?page=2>; rel=next`;
    return !!response.setHeader("link", link).end("[]");
  };
  const list = jsonPages(`${api.origin.replace("//", "//ada:lovelace@")}/items`);
  for await (const _page of list({ signal: new AbortController().signal }));
  assert.deepEqual(
    api.requests.map(({ headers }) => headers["authorization"]),
    Array(2).fill(`Basic ${btoa("ada:lovelace")}`),
  );
});
