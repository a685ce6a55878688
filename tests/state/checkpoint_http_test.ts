// What the checkpoint of an HTTP resource holds.
import { HttpPoller, watchExternal } from "@koprs/external";
import assert from "node:assert/strict";
import { test } from "node:test";
import { serve } from "../http/_http_server.ts";
import { settle } from "../watch/_watch.ts";
import { ScriptedStore, timeout } from "./_checkpoint.ts";

test("HTTP: behind a restart 304 and no event, or removed; no content and no secret is kept", {
  timeout,
}, async (t) => {
  let gone = false;
  const server = await serve(t, (request, response) => {
    if (gone) return response.writeHead(404).end();
    const known = request.headers["if-none-match"] === '"v1"';
    response.writeHead(known ? 304 : 200, { etag: '"v1"', "content-type": "text/plain" });
    response.end(known ? undefined : "the content itself");
  });
  const checkpoint = new ScriptedStore();
  // One without and one with secrets: of the latter no validators are kept either.
  const url = new URL(`${server.origin}/config`);
  const secret = new URL(`${server.origin}/secret?api_key=hunter2&sig=c2lnbmF0dXJl`);
  secret.username = "ada";
  secret.password = "lovelace";
  for (const target of [url, secret]) {
    gone = false;
    checkpoint.state = undefined;
    /** The events of a watch that polls twice, and the condition of its first request. */
    const run = async () => {
      const conditions: (string | null)[] = [];
      const poller = new HttpPoller(target, {
        ...(target === url && { bearerToken: "t0ken" }),
        fetch(input, init) {
          conditions.push(new Headers(init?.headers).get("if-none-match"));
          return fetch(input, init);
        },
      });
      const watch = watchExternal(poller, {
        interval: 1,
        checkpoint,
        onError(error) {
          throw error;
        },
      });
      const events: string[] = [];
      const reading = (async () => {
        for await (const { type, item } of watch) events.push(`${type} ${item.etag}`);
      })();
      await watch.synced;
      await settle(); // The state is saved.
      watch.close();
      await reading;
      return { events, condition: conditions[0] };
    };
    assert.deepEqual((await run()).events, ['added "v1"']);
    const text = new TextDecoder("latin1").decode(checkpoint.state);
    assert.match(text, /^koprsext/);
    for (const word of ["content itself", "hunter2", "c2lnbmF0dXJl", "lovelace", "ada", "t0ken"]) {
      assert(!text.includes(word), `${word} is in the checkpoint`);
    }
    const second = await run();
    assert.deepEqual(second.events, []);
    assert.equal(second.condition, target === url ? '"v1"' : null);
    gone = true;
    const third = await run();
    assert.deepEqual(third.events, [target === url ? 'removed "v1"' : "removed undefined"]);
  }
});
