// H5, H8: answers that are broken, endless, slow or too large. Each leaves the state as it was, and no
// connection behind.
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { connect } from "node:net";
import { test } from "node:test";
import { HttpPoller, watchExternal } from "@koprs/external";
import { broken, bytes, faults, gzipped, OK } from "./_faults.ts";
import { answer, failure, poll, pollerOf, serve, serveRaw, told } from "./_http_server.ts";

const timeout = 10_000;
for (const { what, reply, end = false, codes, message, options } of faults) {
  test(`H5, H8: ${what} fails the poll, and the state stays`, { timeout }, async (t) => {
    const server = await serveRaw(t, (socket, _, head) => {
      if (!head.startsWith("GET /bad")) socket.write(answer(200, {}, "good body"));
      else if (typeof reply === "function") reply(socket, 1, head);
      else if (end) socket.end(reply);
      else socket.write(reply);
    });
    let path = "/";
    const poller = pollerOf(server, {
      maxBytes: 1000,
      timeout: 5_000,
      ...options,
      fetch: (input, init) => fetch(String(input) + path, init),
    }, "");
    const bad = async () => {
      path = "bad";
      const error = await failure(poller);
      path = "";
      assert(codes.includes(error.code), `${error.code}: ${error.message}`);
      if (message !== undefined) assert.match(error.message, message);
      assert.equal(error.message.split("\n").length, 1);
    };
    path = "";
    await bad();
    assert.equal(await told(poller), "added good body");
    await bad();
    assert.equal(await told(poller), "");
  });
}

test("H5: an answer with interim ones before it is whole", { timeout }, async (t) => {
  const server = await serveRaw(t, (socket) => {
    socket.write(`HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n${answer(200, {}, "good")}`);
  });
  assert.equal(await told(pollerOf(server)), "added good");
});

test("H5: bytes behind a Content-Length are of no body", { timeout }, async (t) => {
  const server = await serveRaw(
    t,
    (socket) => socket.end(`${OK}Content-Length: 4\r\n\r\ngoodMORE`),
  );
  // A runtime may also take the connection for broken. It must not take the surplus for content.
  const text = await told(pollerOf(server)).catch((error) => error.code);
  assert(["added good", "network"].includes(text), text);
});

test("H5: gzip that was asked for is content, and cut it is an error", { timeout }, async (t) => {
  const options = { headers: { "Accept-Encoding": "gzip" } };
  let cut = 0;
  const server = await serveRaw(t, (socket) => {
    const head = `${OK}Content-Encoding: gzip\r\nContent-Length: ${gzipped.length}\r\n\r\n`;
    socket.end(bytes(head, gzipped.subarray(0, gzipped.length - cut)));
  });
  const poller = pollerOf(server, options);
  assert.equal(await told(poller), "added content that is compressed, and long enough to be cut");
  cut = 20;
  assert(broken.includes((await failure(poller)).code));
});

test("H8: a body of exactly maxBytes is whole", { timeout }, async (t) => {
  const server = await serveRaw(t, (socket, nth) => {
    const head = nth % 2 ? "Content-Length: 1000\r\n" : "Connection: close\r\n";
    socket.end(`${OK}${head}\r\n${"a".repeat(1000)}`);
  });
  for (let nth = 0; nth < 2; nth++) {
    const [event] = await poll(pollerOf(server, { maxBytes: 1000 }));
    assert.equal(event?.item.body.length, 1000);
  }
});

test("H8: a body in many chunks is put together in order", { timeout }, async (t) => {
  const server = await serve(t, async (_, response) => {
    for (let nth = 0; nth < 50; nth++) {
      response.write(`${nth},`);
      await new Promise((resolve) => setImmediate(resolve));
    }
    response.end();
  });
  const [event] = await poll(pollerOf(server));
  assert.equal(event?.item.text(), Array.from({ length: 50 }, (_, nth) => `${nth},`).join(""));
});

test(
  "H8: an endless body ends at maxBytes, and its connection is closed",
  { timeout },
  async (t) => {
    let sent = 0;
    const server = await serveRaw(t, (socket) => {
      socket.write(`${OK}\r\n`);
      const chunk = Buffer.alloc(64 * 1024, 97);
      const more = () => {
        while (!socket.destroyed && sent < 1 << 30) {
          sent += chunk.length;
          if (!socket.write(chunk)) return;
        }
      };
      socket.on("drain", more);
      more();
    });
    const error = await failure(pollerOf(server, { maxBytes: 100_000 }));
    assert.equal(error.code, "too-large");
    await server.connections[0]!.closed;
    assert(sent < 64 << 20, `${sent} bytes were sent`);
  },
);

test(
  "H8: a drip is bounded by the timeout, and its connection is closed",
  { timeout },
  async (t) => {
    const server = await serveRaw(t, (socket) => {
      socket.write(`${OK}Content-Length: 100000\r\n\r\n`);
      const id = setInterval(() => socket.write("a"), 5);
      socket.on("close", () => clearInterval(id));
    });
    const error = await failure(pollerOf(server, { timeout: 100 }));
    assert.equal(error.code, "timeout");
    assert.match(error.message, /no complete answer within 100 ms; see 'timeout'$/);
    await server.connections[0]!.closed;
  },
);

test("H8: a drip of a head is bounded by the timeout", { timeout }, async (t) => {
  const server = await serveRaw(t, (socket) => {
    socket.write(OK);
    const id = setInterval(() => socket.write("X: y\r\n"), 5);
    socket.on("close", () => clearInterval(id));
  });
  assert.equal((await failure(pollerOf(server, { timeout: 100 }))).code, "timeout");
  await server.connections[0]!.closed;
});

test("H8: the timeout is for all redirects together", { timeout }, async (t) => {
  const server = await serve(t, (request, response) => {
    const nth = Number(request.url?.slice(1));
    const id = setTimeout(() => response.writeHead(302, { location: `/${nth + 1}` }).end(), 60);
    response.on("close", () => clearTimeout(id));
  });
  assert.equal((await failure(pollerOf(server, { timeout: 150 }, "/0"))).code, "timeout");
  assert(server.requests.length < 5, `${server.requests.length} requests`);
});

test("H8: a connection that is half open is bounded by the timeout", { timeout }, async (t) => {
  // The server has sent its FIN only after half of the head: nothing can come any more, or nothing does.
  const server = await serveRaw(t, (socket, nth) => {
    if (nth === 1) socket.write("HTTP/1.1 200 OK\r\nContent-");
    else socket.end("HTTP/1.1 200 OK\r\nContent-");
  });
  const poller = pollerOf(server, { timeout: 100 });
  assert.equal((await failure(poller)).code, "timeout");
  assert(["network", "timeout"].includes((await failure(poller)).code));
});

test("H8: a port that nobody listens on is a network error", { timeout }, async (t) => {
  const server = await serveRaw(t, () => {});
  const { port } = new URL(server.origin);
  assert.equal((await failure(new HttpPoller("http://127.0.0.1:1/"))).code, "network");
  connect(Number(port), "127.0.0.1").destroy();
});

test("H8: a host that has no address is a network error", { timeout }, async () => {
  const error = await failure(new HttpPoller("http://no-such-host.invalid/", { timeout: 8_000 }));
  assert(["network", "timeout"].includes(error.code), error.code);
});

// The server's view: whoever does not read a body must cancel it, or the connection stays taken.
for (const status of [200, 206, 304, 400, 404, 410, 500, 503]) {
  test(`H8: no endless body of a ${status} is left behind`, { timeout }, async (t) => {
    const headers = status === 200 ? "Content-Encoding: zorp\r\n" : "";
    const server = await serveRaw(t, (socket) => {
      socket.write(
        `HTTP/1.1 ${status} S\r\n${headers}Transfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n`,
      );
    });
    await poll(pollerOf(server)).catch(() => {});
    if (status === 304) return; // It has no body, whatever its headers say.
    await server.connections[0]!.closed;
  });
}

test("H8: connections of good polls are used again, not piled up", { timeout }, async (t) => {
  const server = await serveRaw(t, (socket, nth) => {
    socket.write(nth % 3 === 0 ? answer(404, {}, "no such") : answer(200, {}, `body ${nth}`));
  });
  const poller = pollerOf(server);
  for (let nth = 0; nth < 30; nth++) await poll(poller);
  const open = server.connections.filter(({ socket }) => !socket.destroyed).length;
  assert(open <= 2, `${open} connections are open`);
});

test("the watch survives every fault with nothing lost", { timeout: 20_000 }, async (t) => {
  const contents = ["a", "b", "c"];
  let nth = 0;
  const server = await serveRaw(t, (socket, _, head) => {
    const fault = faults[Math.floor(nth / 2) % faults.length]!;
    const turn = nth++;
    // Good and bad in turn, the content another one after each tour of ten faults.
    if (turn % 2 === 0) {
      const content = contents[Math.floor(turn / 20)] ?? "end";
      return socket.write(answer(200, { ETag: `"${content}"` }, content));
    }
    if (typeof fault.reply === "function") fault.reply(socket, turn, head);
    else if (fault.end) socket.end(fault.reply);
    else socket.write(fault.reply);
  });
  let failures = 0;
  const seen: string[] = [];
  const watch = watchExternal(pollerOf(server, { maxBytes: 1000, timeout: 60 }), {
    interval: 0.01,
    maxBackoff: 1,
    logger: false,
    onError: () => failures++,
  });
  for await (const event of watch) {
    seen.push(`${event.type} ${event.item.text()}`);
    if (event.item.text() === "end") break;
  }
  assert.deepEqual(seen, ["added a", "modified b", "modified c", "modified end"]);
  assert(failures >= 20, `${failures} failures`);
});
