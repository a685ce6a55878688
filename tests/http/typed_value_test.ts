// HttpPoller: values by a schema of a real library or by a function, and what a change is.
import { type } from "arktype";
import assert from "node:assert/strict";
import { test } from "node:test";
import { HttpPoller, type HttpPollerOptions } from "@koprs/external/http";
import { ExternalError } from "@koprs/external/error";
import * as v from "valibot";
import { z } from "zod";
import { send, serve, type Step } from "./_http_server.ts";

const timeout = 10_000;
const { signal } = new AbortController();

interface Config {
  replicas: number;
  image: string;
}
const good: Config = { replicas: 3, image: "nginx" };

/** Whether two types are the same. */
type Same<A, B> = (<X>() => X extends A ? 1 : 2) extends <X>() => X extends B ? 1 : 2 ? true
  : false;
function isSame<A, B>(_: Same<A, B>): void {}

/** The only event of a poll, handled. */
async function one<T>(poller: HttpPoller<T>) {
  const [event, ...more] = [...await poller.poll({ signal })];
  assert.equal(more.length, 0);
  return event;
}

async function invalid<T>(poller: HttpPoller<T>): Promise<string> {
  try {
    await poller.poll({ signal });
  } catch (error) {
    assert(error instanceof ExternalError);
    assert.equal(error.code, "invalid");
    return error.message;
  }
  assert.fail("it should have failed");
}

test("values are inferred from zod, valibot, arktype and a function", { timeout }, async (t) => {
  const server = await serve(t, (_, response) => send(response, { body: JSON.stringify(good) }));
  const url = `${server.origin}/`;
  const zod = new HttpPoller(url, {
    schema: z.object({ replicas: z.number().int(), image: z.string().transform((s) => s.length) }),
  });
  const valibot = new HttpPoller(url, {
    schema: v.object({ replicas: v.number(), image: v.string() }),
  });
  const ark = new HttpPoller(url, { schema: type({ replicas: "number", image: "string" }) });
  const parsed = new HttpPoller(url, {
    parse: (resource) =>
      Promise.resolve(new URLSearchParams(resource.json() as Record<string, string>)),
  });
  const plain = new HttpPoller(url);

  const zodValue = (await one(zod))!.item.value;
  isSame<typeof zodValue, { replicas: number; image: number }>(true);
  assert.deepEqual(zodValue, { replicas: 3, image: 5 });
  const valibotValue = (await one(valibot))!.item.value;
  isSame<typeof valibotValue, Config>(true);
  assert.deepEqual(valibotValue, good);
  const arkValue = (await one(ark))!.item.value;
  isSame<typeof arkValue, Config>(true);
  assert.deepEqual(arkValue, good);
  const parsedValue = (await one(parsed))!.item.value;
  isSame<typeof parsedValue, URLSearchParams>(true);
  assert.equal(parsedValue.get("image"), "nginx");
  const nothing = (await one(plain))!.item.value;
  isSame<typeof nothing, undefined>(true);
  assert.equal(nothing, undefined);
});

test("what a schema does not take fails the poll in one line, and the old state stays", {
  timeout,
}, async (t) => {
  let body = JSON.stringify(good);
  const server = await serve(t, (_, response) => send(response, { body }));
  const url = `${server.origin}/`;
  const pollers = {
    zod: new HttpPoller(url, { schema: z.object({ replicas: z.number(), image: z.string() }) }),
    valibot: new HttpPoller(url, {
      schema: v.objectAsync({ replicas: v.number(), image: v.string() }),
    }),
    arktype: new HttpPoller(url, { schema: type({ replicas: "number", image: "string" }) }),
  };
  for (const poller of Object.values(pollers)) await one<Config>(poller);
  body = '{"replicas":"many","image":"nginx"}';
  for (const poller of Object.values(pollers)) {
    const message = await invalid<Config>(poller);
    assert.match(message, /'schema' rejected it: .*replicas/);
    assert.doesNotMatch(message, /\n/);
    assert.deepEqual(poller.current?.value, good);
  }
  body = "<html>s3cret";
  const message = await invalid(pollers.zod);
  assert.match(message, /'schema' rejected it: a body of 12 bytes that is not JSON$/);
  body = JSON.stringify(good);
  for (const poller of Object.values(pollers)) assert.equal(await one<Config>(poller), undefined);
});

test("a schema is not given an integer that JavaScript would round", { timeout }, async (t) => {
  let body = '{"n":9007199254740992}';
  const server = await serve(t, (_, response) => send(response, { body }));
  const poller = new HttpPoller(`${server.origin}/`, { schema: z.object({ n: z.number() }) });
  await one(poller);
  body = '{"n":9007199254740993}';
  assert.match(
    await invalid(poller),
    /'schema' rejected it: the integer at byte 5 is too large .*: use 'parse'$/,
  );
});

test(
  "many issues are cut to the first, and a path with dots names where",
  { timeout },
  async (t) => {
    const body = JSON.stringify({
      list: [{ n: "1" }, { n: "2" }, { n: "3" }, { n: "4" }, { n: "5" }],
    });
    const server = await serve(t, (_, response) => send(response, { body }));
    const schema = z.object({ list: z.array(z.object({ n: z.number() })) });
    const message = await invalid(new HttpPoller(`${server.origin}/`, { schema }));
    assert.match(message, /list\.0\.n: .*; list\.1\.n: .*; list\.2\.n: .*; and 2 more$/);
  },
);

test("'version' decides what a change is", { timeout }, async (t) => {
  const bodies = ["1 a", "1 b", "2 b"];
  const server = await serve(
    t,
    (_, response, nth) => send(response, { body: bodies[nth - 1] ?? "" }),
  );
  const poller = new HttpPoller(`${server.origin}/`, {
    parse: (resource) => resource.text().split(" "),
    version: ({ value: [version = "none"] }) => version,
  });
  assert.equal((await one(poller))?.type, "added");
  assert.equal(await one(poller), undefined);
  assert.deepEqual(poller.current?.value, ["1", "b"]);
  const event = await one(poller);
  assert.equal(event?.type, "modified");
  assert(!("previous" in event));
});

test(
  "a version that is no string, and a 'parse' that throws, fail the poll",
  { timeout },
  async (t) => {
    const server = await serve(t, (_, response) => send(response, { body: "x" }));
    const url = `${server.origin}/`;
    const version = (() => 7) as unknown as () => string;
    assert.match(
      await invalid(new HttpPoller(url, { version })),
      /'version' gave a number, no string$/,
    );
    const parse = () => Promise.reject(new Error("not\nmine"));
    assert.match(await invalid(new HttpPoller(url, { parse })), /'parse' rejected it: not mine$/);
  },
);

test("'goneAfter' answers of 404 or 410 in a row are a removal", { timeout }, async (t) => {
  const statuses = [404, 200, 404, 410, 200, 404, 500, 404, 404, 404];
  const server = await serve(t, (_, response, nth) => {
    const step: Step = { status: statuses[nth - 1] ?? 200, body: "x" };
    send(response, step);
  });
  const poller = new HttpPoller(`${server.origin}/`, { goneAfter: 3, parse: () => 7 });
  const seen: (string | undefined)[] = [];
  for (const status of statuses) {
    if (status === 500) await assert.rejects(poller.poll({ signal }), { status });
    else seen.push((await one(poller))?.type);
  }
  const [u] = [undefined];
  assert.deepEqual(seen, [u, "added", u, u, u, u, u, "removed", u]);
  assert.equal(poller.current, undefined);
});

test("a removal has the value that was known last", { timeout }, async (t) => {
  const server = await serve(
    t,
    (_, response, nth) => send(response, nth === 1 ? { body: "7" } : { status: 404 }),
  );
  const poller = new HttpPoller(`${server.origin}/`, { schema: z.number() });
  await one(poller);
  const event = await one(poller);
  assert.equal(event?.type, "removed");
  assert.equal(event.item.value, 7);
  assert.equal(event.item.body.length, 0);
});

test("options that cannot be used are refused by the constructor", () => {
  const bad: [unknown, typeof TypeError | typeof RangeError, RegExp][] = [
    [{ schema: z.string(), parse: () => 1 }, TypeError, /only one of 'schema' and 'parse'/],
    [{ schema: {} }, TypeError, /'schema' must be a Standard Schema/],
    [{ schema: null }, TypeError, /'schema' must be a Standard Schema/],
    [{ parse: 1 }, TypeError, /'parse' must be a function/],
    [{ version: "v" }, TypeError, /'version' must be a function/],
    [{ remember: "all" }, TypeError, /'remember' must be "digest" or "body"/],
    [{ goneAfter: 0 }, RangeError, /goneAfter/],
    [{ goneAfter: 1.5 }, RangeError, /goneAfter/],
  ];
  for (const [options, type, message] of bad) {
    const make = () => new HttpPoller("http://localhost", options as HttpPollerOptions);
    assert.throws(make, (error) => error instanceof type && message.test(error.message));
  }
});

test("an event of HTTP as JSON is text, not bytes by number", { timeout }, async (t) => {
  const bodies = ["héllo", new Uint8Array([255, 0]), "é".repeat(40_000)];
  const server = await serve(t, (_, response, nth) => {
    response.writeHead(200, { etag: `"${nth}"`, "content-type": "text/plain" });
    response.end(bodies[nth - 1]);
  });
  const url = `${server.origin}/`;
  const poller = new HttpPoller(url);
  const shown = async () => JSON.parse(JSON.stringify(await one(poller)));
  assert.deepEqual(await shown(), {
    type: "added",
    item: { url, status: 200, etag: '"1"', contentType: "text/plain", text: "héllo" },
  });
  assert.equal((await shown()).item.base64, "/wA=");
  const { item } = await shown();
  assert.equal(item.bytes, 80_000);
  assert.equal(item.text, "é".repeat(32_768));
  const typed = new HttpPoller(url, { parse: () => good });
  const event = JSON.parse(JSON.stringify(await one(typed)));
  assert.deepEqual(event.item.value, good);
  assert(!("text" in event.item));
});
