// HttpPoller: the option `validate` (W10).
import assert from "node:assert/strict";
import { test } from "node:test";
import { watchExternal } from "@koprs/external";
import { failure, poll, pollerOf, send, serve, told } from "./_http_server.ts";

const timeout = 10_000;

test(
  "validate: a throw or rejection fails the poll, and the state stays",
  { timeout },
  async (t) => {
    const bodies = ["1", "bad", "bad", "1", "2"];
    for (const reject of [false, true]) {
      const server = await serve(
        t,
        (_, response, nth) =>
          send(response, { body: bodies[nth - 1]!, headers: { etag: `"${nth}"` } }),
      );
      const seen: string[] = [];
      const cause = new RangeError("not a number");
      const poller = pollerOf(server, {
        validate: (resource) => {
          seen.push(resource.text());
          if (resource.text() !== "bad") return;
          if (reject) return Promise.reject(cause);
          throw cause;
        },
      });
      assert.equal(await told(poller), "added 1");
      for (let nth = 0; nth < 2; nth++) {
        const error = await failure(poller);
        assert.equal(error.code, "invalid");
        assert.match(error.message, /'validate' rejected it: not a number$/);
        assert(error.cause instanceof RangeError, "a copy of the user's error, told by its class");
        assert.equal(error.cause.message, cause.message);
        assert.equal(server.last.headers["if-none-match"], '"1"', "the old validators");
      }
      assert.equal(await told(poller), "", "the old content is still the one that counts");
      assert.equal(await told(poller), "modified 2");
      assert.deepEqual(seen, ["1", "bad", "bad", "2"], "content seen before is not asked about");
    }
  },
);

test("validate: a JSON that is none is reported by its own error", { timeout }, async (t) => {
  const server = await serve(t, (_, response) => send(response, { body: "{" }));
  const error = await failure(pollerOf(server, { validate: (resource) => resource.json() }));
  assert.equal(error.code, "invalid");
  assert(error.cause instanceof SyntaxError);
});

test("validate: an abort does not wait for it", { timeout }, async (t) => {
  const server = await serve(t, (_, response) => send(response, { body: "x" }));
  const aborter = new AbortController();
  const reason = new Error("enough");
  const poller = pollerOf(server, {
    validate: () => {
      aborter.abort(reason);
      return new Promise(() => {});
    },
  });
  await assert.rejects(poll(poller, aborter.signal), (error) => error === reason);
});

test(
  "validate: what it throws reaches onError once, and the watch goes on (W10)",
  { timeout },
  async (t) => {
    const server = await serve(
      t,
      (_, response, nth) => send(response, { body: nth < 3 ? "bad" : "good" }),
    );
    const errors: string[] = [];
    const poller = pollerOf(server, {
      validate: (resource) => {
        if (resource.text() === "bad") throw "a string";
      },
    });
    const watch = watchExternal(poller, {
      interval: 1,
      onError: (error) => errors.push(`${error.code} ${error.message.split(": ").at(-1)}`),
    });
    for await (const event of watch) {
      assert.equal(event.item.text(), "good");
      break;
    }
    assert.deepEqual(errors, ["invalid a string", "invalid a string"]);
  },
);
