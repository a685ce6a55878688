// How long the stores of Google Cloud Storage and Azure wait for a server, and what becomes of the connection.
import assert from "node:assert/strict";
import { channel } from "node:diagnostics_channel";
import type { ServerResponse } from "node:http";
import { mock, test, type TestContext } from "node:test";
import { countListeners } from "../bounds/_listeners.ts";
import { serve } from "../http/_http_server.ts";
import { type CloudKind, clouds, failure } from "./_clouds.ts";

// Nothing here waits for long: a test that does has found a fault.
const timeout = 20_000;
const calls = ["list", "get", "put"] as const;
const stop = new Error("enough");

function mockTimers(scope: TestContext): void {
  mock.timers.enable({ apis: ["setTimeout"] });
  scope.after(() => mock.timers.reset());
}

/** A server that sends the beginning of an answer, if any, and then nothing. */
async function startStalling(scope: TestContext, begin: (response: ServerResponse) => void) {
  const [asked, closed] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const { origin } = await serve(scope, (request, response) => {
    request.socket.once("close", () => closed.resolve());
    request.resume().on("end", () => {
      begin(response);
      asked.resolve();
    });
  });
  return { origin, asked: asked.promise, closed: closed.promise };
}

/** Lists, reads or writes, to the first page or byte. */
async function call(
  cloud: CloudKind,
  origin: string,
  how: typeof calls[number],
  signal?: AbortSignal,
): Promise<unknown> {
  const store = cloud.store(origin);
  const options = signal === undefined ? {} : { signal };
  if (how === "list") return await store.list(options).next();
  if (how === "put") return await store.put("a", new Uint8Array(3), options);
  return await (await store.get("a", options)).getReader().read();
}

for (const cloud of clouds) {
  for (const how of calls) {
    test(
      `${cloud.title}: ${how} of a server that never answers ends in time`,
      { timeout },
      async (t) => {
        const { origin, asked, closed } = await startStalling(t, () => {});
        mockTimers(t);
        const failing = failure("timeout", call(cloud, origin, how));
        await asked;
        mock.timers.tick(59_999);
        mock.timers.tick(1);
        const { message, source } = await failing;
        assert.match(message, /there was no complete answer within 60000 ms; see 'timeout'$/);
        assert.equal(source, cloud.name);
        await closed;
      },
    );

    test(
      `${cloud.title}: an abort of ${how} before the answer ends its request`,
      { timeout },
      async (t) => {
        const { origin, asked, closed } = await startStalling(t, () => {});
        const controller = new AbortController();
        const calling = call(cloud, origin, how, controller.signal);
        await asked;
        controller.abort(stop);
        await assert.rejects(calling, (error) => error === stop);
        await closed;
      },
    );
  }

  test(`${cloud.title}: a page that stalls midway ends in time`, { timeout }, async (t) => {
    const { origin, asked, closed } = await startStalling(t, (response) => {
      response.writeHead(200, { "content-type": cloud.type });
      response.write(cloud.page([{ key: "a" }]).slice(0, 20));
    });
    mockTimers(t);
    const failing = failure("timeout", call(cloud, origin, "list"));
    await asked;
    mock.timers.tick(60_000);
    await failing;
    await closed;
  });

  test(`${cloud.title}: a page that is aborted midway ends its request`, { timeout }, async (t) => {
    const { origin, asked, closed } = await startStalling(t, (response) => {
      response.writeHead(200, { "content-type": cloud.type });
      response.write(cloud.page([{ key: "a" }]).slice(0, 20));
    });
    const controller = new AbortController();
    const calling = call(cloud, origin, "list", controller.signal);
    await asked;
    controller.abort(stop);
    await assert.rejects(calling, (error) => error === stop);
    await closed;
  });

  for (const how of ["stalls", "is aborted", "is aborted unread", "is cancelled"]) {
    test(
      `${cloud.title}: a content that ${how} midway ends its request`,
      { timeout },
      async (t) => {
        const { origin, closed } = await startStalling(t, (response) => {
          response.writeHead(200, { "content-length": 1_000, ...cloud.headers(1) });
          response.write("some");
        });
        const controller = new AbortController();
        mockTimers(t);
        const content = await cloud.store(origin).get("a", { signal: controller.signal });
        const reader = content.getReader();
        // A reader that takes its time is none that waits.
        mock.timers.tick(600_000);
        assert.equal(new TextDecoder().decode((await reader.read()).value), "some");
        mock.timers.tick(600_000);
        if (how === "is aborted unread") {
          controller.abort(stop);
          await closed;
          return await assert.rejects(reader.read(), (error) => error === stop);
        }
        const reading = reader.read();
        if (how === "is aborted") controller.abort(stop);
        if (how === "is cancelled") await reader.cancel();
        if (how === "stalls") {
          const failing = failure("timeout", reading);
          await new Promise((resolve) => setImmediate(resolve)); // until bytes are waited for
          mock.timers.tick(60_000);
          assert.match((await failing).message, /no further bytes came within 60000 ms/);
        } else if (how === "is aborted") {
          await assert.rejects(reading, (error) => error === stop);
        } else {
          assert.equal((await reading).done, true);
        }
        await closed;
      },
    );
  }

  test(`${cloud.title}: a timeout of one's own`, { timeout }, async (t) => {
    const { origin, asked } = await startStalling(t, () => {});
    mockTimers(t);
    const store = cloud.store(origin, { timeout: 5 });
    const failing = failure("timeout", store.list().next());
    await asked;
    mock.timers.tick(5);
    assert.match((await failing).message, /within 5 ms/);
    for (const wrong of [0, -1, NaN, Infinity]) {
      assert.throws(() => cloud.store(origin, { timeout: wrong }), RangeError);
    }
    assert.throws(() => cloud.store(origin, { timeout: "5" as never }), TypeError);
  });

  test(`${cloud.title}: nothing is left on the caller's signal`, { timeout }, async (t) => {
    const { origin } = await serve(t, (request, response) => {
      const url = request.url ?? "";
      request.resume();
      response.setHeader("content-type", cloud.type);
      if (url.includes("broken")) return response.writeHead(404).end();
      if (request.method !== "GET") {
        return response.writeHead(cloud.written).end(cloud.writtenBody(1));
      }
      const next = cloud.tokenOf(request) === null ? "next" : undefined;
      const body = /content/.test(url) ? "content" : cloud.page([{ key: next ?? "a" }], next);
      response.writeHead(200, { ...cloud.headers(1), "content-length": body.length }).end(body);
    });
    const store = cloud.store(origin);
    const signal = new AbortController().signal;
    const listeners = countListeners(signal);
    const ends: Record<string, () => Promise<unknown>> = {
      "a listing": () => Array.fromAsync(store.list({ signal })),
      "a listing left": async () => {
        for await (const _ of store.list({ signal })) break;
      },
      "a listing that fails": () =>
        failure("store", store.list({ signal, prefix: "broken" }).next()),
      "a content": async () => await new Response(await store.get("content", { signal })).text(),
      "a content left": async () => await (await store.get("content", { signal })).cancel(),
      "a content that is missing": () => failure("store", store.get("broken", { signal })),
      "a write": () => store.put("a", new Uint8Array(), { signal }),
      "a write that fails": () =>
        failure("store", store.put("broken", new Uint8Array(), { signal })),
    };
    for (const [what, run] of Object.entries(ends)) {
      await run();
      assert.equal(listeners(), 0, `${what}: ${listeners()} left`);
      // By which the requests of Google's client are found.
      const { hasSubscribers } = channel("http.client.request.start");
      assert.equal(hasSubscribers, false, what);
    }
  });
}
