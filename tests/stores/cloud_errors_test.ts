// What the stores of Google Cloud Storage and Azure say of a failure: its code, and what to do.
import assert from "node:assert/strict";
import { test } from "node:test";
import { workSince } from "../errors/_cpu.ts";
import { freePort } from "../servers/ports.ts";
import { serve } from "../http/_http_server.ts";
import { azure, clouds, failure, gcs } from "./_clouds.ts";

const bytes = new TextEncoder().encode("content");
const LASTING = "this does not pass by itself: ";

for (const cloud of clouds) {
  /** A store whose server answers everything with one error. */
  const failing = async (
    scope: Parameters<typeof serve>[0],
    status: number,
    code: string,
    headers: Record<string, string> = {},
    message = "The server says no.",
  ) => {
    const { origin } = await serve(scope, (request, response) => {
      request.resume().on("end", () => {
        response.writeHead(status, {
          "content-type": cloud.type,
          "x-ms-error-code": code,
          ...headers,
        }).end(cloud.error(status, code, message));
      });
    });
    return cloud.store(origin);
  };

  test(`${cloud.title}: a missing permission says that it does not pass, and what is needed`, async (t) => {
    const store = await failing(t, 403, "AuthorizationPermissionMismatch");
    const needed = {
      "GcsStore": [/storage\.objects\.list/, /storage\.objects\.get/, /storage\.objects\.create/],
      "AzureStore": [/Storage Blob Data Reader/, /'r' in a SAS/, /Storage Blob Data Contributor/],
    }[cloud.title] ?? [];
    const calls = [() => store.list().next(), () => store.get("k"), () => store.put("k", bytes)];
    for (const [i, call] of calls.entries()) {
      const { status, message } = await failure("store", call());
      assert.equal(status, 403);
      assert.ok(message.includes("The server says no"), message);
      assert.ok(message.includes(`${LASTING}check the credentials of the client`), message);
      assert.match(message, needed[i] as RegExp);
    }
  });

  test(`${cloud.title}: missing credentials say that they do not come by themselves`, async (t) => {
    const store = await failing(t, 401, "NoAuthenticationInformation");
    for (const call of [() => store.list().next(), () => store.get("k")]) {
      const { status, message } = await failure("store", call());
      assert.equal(status, 401);
      assert.ok(message.endsWith(`${LASTING}check the credentials of the client`), message);
    }
  });

  test(`${cloud.title}: a missing ${cloud.place} is told from a missing object`, async (t) => {
    const hint =
      `${LASTING}check that the ${cloud.place} exists, and where the client sends requests`;
    const gone = await failing(t, 404, "ContainerNotFound", {}, gcs.missing);
    const calls = [() => gone.list().next(), () => gone.get("k"), () => gone.put("k", bytes)];
    for (const call of calls) {
      const { status, message } = await failure("store", call());
      assert.equal(status, 404);
      assert.ok(message.endsWith(hint), message);
    }
    const empty = await failing(t, 404, "BlobNotFound", {}, "No such object: place/k");
    const { status, message } = await failure("store", empty.get("k"));
    assert.equal(status, 404);
    assert.ok(!message.includes(LASTING), message);
  });

  for (const status of [429, 500, 503]) {
    test(`${cloud.title}: what the server asks to wait after ${status} is known`, async (t) => {
      const store = await failing(t, status, "ServerBusy", { "retry-after": "7" });
      const calls = [() => store.list().next(), () => store.get("k"), () => store.put("k", bytes)];
      for (const call of calls) {
        const error = await failure("store", call());
        assert.deepEqual([error.status, error.retryAfter], [status, 7_000]);
        assert.equal(error.source, cloud.name);
        const limited = error.message.endsWith(": its rate limit is used up, and resets in 7 s");
        assert.equal(limited, status === 429, error.message);
      }
    });
  }

  test(`${cloud.title}: a connection that is refused is a failure of the network`, async () => {
    const store = cloud.store(`http://127.0.0.1:${await freePort()}`);
    for (
      const call of [() => store.list().next(), () => store.get("k"), () => store.put("k", bytes)]
    ) {
      const { status, message } = await failure("network", call());
      assert.equal(status, undefined);
      assert.match(message, /^Cannot (list|get|put) /);
    }
  });

  for (const how of ["reset", "cut"] as const) {
    test(`${cloud.title}: a connection that is ${how} is a failure of the network`, async (t) => {
      const { origin } = await serve(t, (request, response) => {
        const end = () =>
          how === "cut" ? request.socket.destroy() : request.socket.resetAndDestroy();
        request.resume().on("end", () => {
          if (request.method !== "GET") return end();
          response.writeHead(200, {
            ...cloud.headers(1),
            "content-type": cloud.type,
            "content-length": 1_000,
          });
          response.write("some", () => setImmediate(end));
        });
      });
      const store = cloud.store(origin);
      await failure("network", store.list().next());
      await failure("network", store.put("k", bytes));
      // The client of Azure asks for the rest, five times.
      await failure("network", store.get("k").then((content) => new Response(content).text()));
    });
  }

  test(`${cloud.title}: an answer that is no listing breaks the protocol`, async (t) => {
    const whole = cloud.page([{ key: "a" }, { key: "b" }], "next");
    for (const body of ["", "<html>Sign in</html>", "{}", whole.slice(0, 60), whole.slice(0, -1)]) {
      const { origin } = await serve(t, (_request, response) => {
        response.writeHead(200, { "content-type": "text/html" }).end(body);
      });
      const { message } = await failure("protocol", cloud.store(origin).list().next());
      assert.match(message, /not a complete listing/);
    }
  });

  test(`${cloud.title}: an error is one line, of any length and content`, async (t) => {
    for (
      const message of [
        " ".repeat(60_000),
        "\n".repeat(60_000),
        ". \n".repeat(20_000),
        "\u001b[31m",
      ]
    ) {
      const { origin } = await serve(t, (_request, response) => {
        response.writeHead(400, { "content-type": "text/plain" }).end(message + message);
      });
      const work = workSince();
      const error = await failure("store", cloud.store(origin).list().next());
      assert.ok(work() < 2_000, "slow");
      assert.match(error.message, /^Cannot list '[^\p{C}]{1,2100}$/u);
    }
  });
}

test("AzureStore: an error without a body, and one over several lines", async (t) => {
  const texts = ["", azure.error(409, "Busy", "One thing.\nRequestId:1\nTime:2")];
  const messages = [];
  for (const text of texts) {
    const { origin } = await serve(t, (_request, response) => {
      response.writeHead(409, { "content-type": azure.type }).end(text);
    });
    messages.push((await failure("store", azure.store(origin).list().next())).message);
  }
  assert.deepEqual(messages, [
    "Cannot list 'az://account/place': RestError: the server answered 409",
    "Cannot list 'az://account/place': RestError: One thing, RequestId:1, Time:2",
  ]);
});
