// HttpPoller with remember: "body": the last good resource, also behind a restart.
import fc from "fast-check";
import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { ExternalError } from "@koprs/external/error";
import { HttpPoller } from "@koprs/external/http";
import * as v from "valibot";
import { z } from "zod";
import { seal, unseal } from "../../_state/sealed_state.ts";
import { send, serve } from "./_http_server.ts";

const timeout = 10_000;
const { signal } = new AbortController();
const remember = "body";
const schema = z.object({ n: z.number() });

async function events<T>(poller: HttpPoller<T>) {
  return [...await poller.poll({ signal })];
}

/** The address of a server that is gone. */
async function nowhere(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return `http://127.0.0.1:${port}/`;
}

test(
  "the last good resource is there after a restart, while the server is down",
  { timeout },
  async () => {
    const url = await nowhere();
    const answer = () =>
      Promise.resolve(
        new Response('{"n":1}', { headers: { etag: '"1"', "content-type": "application/json" } }),
      );
    const before = new HttpPoller(url, { schema, remember, fetch: answer });
    const delivery = (await before.poll({ signal }))[Symbol.iterator]();
    delivery.next();
    assert.equal(before.current === undefined, true, "not handled yet");
    delivery.next();
    assert.deepEqual(before.current?.value, { n: 1 });

    const after = new HttpPoller(url, { schema, remember });
    after.restore(before.save());
    assert.deepEqual(after.current?.value, { n: 1 });
    await assert.rejects(after.poll({ signal }), { code: "network" });
    assert.deepEqual(after.current?.value, { n: 1 });
    assert.equal(after.current?.text(), '{"n":1}');
    const { status, etag, contentType } = after.current;
    assert.deepEqual([status, etag, contentType], [200, '"1"', "application/json"]);
    assert.deepEqual(after.save(), before.save());
  },
);

test("a change and a removal behind a restart have what was before", { timeout }, async (t) => {
  const server = await serve(t, ({ headers }, response, nth) => {
    if (nth === 4) return send(response, { status: 404 });
    if (headers["if-none-match"] === '"2"') return send(response, { status: 304 });
    send(response, {
      body: `{"n":${Math.min(nth, 2)}}`,
      headers: { etag: `"${Math.min(nth, 2)}"` },
    });
  });
  let poller = new HttpPoller(`${server.origin}/`, { schema, remember });
  const restart = () => {
    const state = poller.save();
    poller = new HttpPoller(`${server.origin}/`, { schema, remember });
    poller.restore(state);
  };
  await events(poller);
  restart();
  const [modified] = await events(poller);
  assert(modified?.type === "modified");
  assert.deepEqual([modified.previous?.value.n, modified.item.value.n], [1, 2]);
  restart();
  assert.deepEqual(await events(poller), []);
  assert.equal(server.last.headers["if-none-match"], '"2"');
  restart();
  const [removed] = await events(poller);
  assert.equal(removed?.type, "removed");
  assert.deepEqual(removed.item.value, { n: 2 });
  assert.equal(poller.current, undefined);
  restart();
  assert.equal(poller.current, undefined);
});

test("a schema that takes its time has read the restored body by the end of the next poll", {
  timeout,
}, async () => {
  const url = await nowhere();
  const slow = v.objectAsync({ n: v.number() });
  const fetch = () => Promise.resolve(new Response('{"n":1}'));
  const before = new HttpPoller(url, { schema: slow, remember, fetch });
  await events(before);
  const after = new HttpPoller(url, { schema: slow, remember });
  after.restore(before.save());
  assert.deepEqual(after.save(), before.save(), "nothing is lost meanwhile");
  await assert.rejects(after.poll({ signal }), { code: "network" });
  assert.deepEqual(after.current?.value, { n: 1 });
});

test("a restored body that a newer schema does not take is asked for anew, and refused", {
  timeout,
}, async (t) => {
  const server = await serve(
    t,
    ({ headers }, response) =>
      send(
        response,
        headers["if-none-match"] ? { status: 304 } : { body: '{"n":1}', headers: { etag: '"1"' } },
      ),
  );
  const url = `${server.origin}/`;
  const before = new HttpPoller(url, { schema, remember });
  await events(before);
  const after = new HttpPoller(url, { schema: z.object({ n: z.string() }), remember });
  after.restore(before.save());
  assert.equal(after.current, undefined);
  await assert.rejects(after.poll({ signal }), { code: "invalid" });
  assert.deepEqual(after.save(), before.save());
});

test(
  "with a digest alone no body is saved, and whoever then wants bodies gets one",
  { timeout },
  async (t) => {
    const server = await serve(t, ({ headers }, response) =>
      send(
        response,
        headers["if-none-match"] ? { status: 304 } : { body: '{"n":1}', headers: { etag: '"1"' } },
      ));
    const url = `${server.origin}/`;
    const before = new HttpPoller(url, { schema });
    await events(before);
    assert.deepEqual(before.current?.value, { n: 1 });
    assert.doesNotMatch(new TextDecoder("latin1").decode(before.save()), /kept/);
    const brief = new HttpPoller(url, { schema });
    brief.restore(before.save());
    assert.equal(brief.current, undefined);
    const whole = new HttpPoller(url, { schema, remember });
    whole.restore(before.save());
    assert.deepEqual(await events(whole), []);
    assert.deepEqual(whole.current?.value, { n: 1 });
  },
);

/** A poller of `{"n":1}`, or of nothing once it is gone, and the state that it came to. */
async function known() {
  const url = "http://localhost/";
  let status = 200;
  const fetch = () => Promise.resolve(new Response(status === 200 ? '{"n":1}' : null, { status }));
  const options = { remember, fetch, goneAfter: 1 } as const;
  const before = new HttpPoller(url, options);
  const none = before.save();
  await events(before);
  /** Another poller with its state, whose schema does not take the body. */
  const broken = () => {
    const after = new HttpPoller(url, { ...options, schema: z.object({ n: z.string() }) });
    after.restore(before.save());
    return after;
  };
  return { url, options, none, state: before.save(), broken, gone: () => void (status = 404) };
}

test("a body that was not read again is not kept behind a removal", async () => {
  for (const each of [undefined, true] as const) {
    const { broken, none, state, gone } = await known();
    const after = broken();
    assert.deepEqual(after.save(), state);
    gone();
    const [removed] = [...await after.poll({ signal, ...(each && { each }) })];
    assert.equal(removed?.type, "removed");
    if (each) after.acknowledgement.handled(after.name);
    assert.deepEqual(after.save(), none);
  }
});

test("a restored state takes the place of all that was known before", async () => {
  const { url, options, broken, none, state, gone } = await known();
  const empty = broken();
  empty.restore(none);
  assert.deepEqual(empty.save(), none, "the body that was not read is not kept");

  const poller = new HttpPoller(url, { ...options, goneAfter: 2 });
  const older = (await poller.poll({ signal }))[Symbol.iterator]();
  older.next();
  poller.restore(none);
  older.next();
  assert.equal(poller.current, undefined, "an older delivery commits nothing");

  poller.restore(state);
  gone();
  assert.deepEqual(await events(poller), []);
  poller.restore(state);
  assert.deepEqual(await events(poller), [], "answers are counted anew");
  assert.equal((await events(poller))[0]?.type, "removed");
});

test(
  "C1: a state of another shape is refused, whatever was changed in it",
  { timeout },
  async () => {
    const url = "http://localhost/";
    const fetch = () =>
      Promise.resolve(new Response("body", { headers: { "content-type": "a/b" } }));
    const poller = new HttpPoller(url, { remember, fetch });
    await events(poller);
    const identity = JSON.stringify(["http", url]);
    const state = JSON.parse(new TextDecoder().decode(unseal(poller.save(), identity)));
    assert.equal(state.kept.body, btoa("body"));
    const refused = (kept: unknown, seen: unknown = state.seen) => {
      const bytes = new TextEncoder().encode(JSON.stringify({ ...state, seen, kept }));
      const other = new HttpPoller(url, { remember });
      const isRefusal = (error: unknown) =>
        error instanceof ExternalError && error.code === "checkpoint";
      assert.throws(() => other.restore(seal(identity, [bytes])), isRefusal);
      assert.equal(other.current, undefined);
    };
    refused(state.kept, null);
    const wrong = fc.jsonValue();
    fc.assert(fc.property(wrong, (value) => {
      refused(value);
      if (value !== 200 && value !== 203 && value !== 204) {
        refused({ ...state.kept, status: value });
      }
      if (typeof value !== "string") {
        refused({ ...state.kept, contentType: value });
        refused({ ...state.kept, body: value });
      }
    }));
    refused({ ...state.kept, body: "%" });
  },
);
