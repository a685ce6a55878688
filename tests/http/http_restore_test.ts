// HttpPoller: state that is saved and restored, and what is refused (C1).
import fc from "fast-check";
import assert from "node:assert/strict";
import { test } from "node:test";
import { ExternalError, HttpPoller, watchExternal } from "@koprs/external";
import { MemoryCheckpointStore } from "@koprs/external/checkpoints/memory";
import { checksum, seal } from "../../_state/sealed_state.ts";
import { failure, poll, pollerOf, send, serve, told } from "./_http_server.ts";

const timeout = 10_000;
const headers = { etag: '"1"', "last-modified": "Sun, 06 Nov 1994 08:49:37 GMT" };

/** The error of `restore`. */
function refusal(poller: HttpPoller, state: Uint8Array): ExternalError {
  try {
    poller.restore(state);
  } catch (error) {
    assert(error instanceof ExternalError, String(error));
    assert.equal(error.code, "checkpoint");
    return error;
  }
  assert.fail("accepted");
}

test("C1: state of a URL that differs in a masked part alone is refused by the first poll", {
  timeout,
}, async (t) => {
  const server = await serve(t, ({ url = "" }, response) => send(response, { body: url, headers }));
  const [usd, eur] = ["/rate?code=USD", "/rate?code=EUR"];
  const before = pollerOf(server, {}, usd);
  await poll(before);
  const state = before.save();
  assert.equal(before.name, pollerOf(server, {}, eur).name);

  const other = pollerOf(server, {}, eur);
  other.restore(state);
  assert.deepEqual(other.save(), state, "what is not known to be its own is saved as it was");
  for (let nth = 0; nth < 3; nth++) {
    const error = await failure(other);
    assert.equal(error.code, "checkpoint");
    assert.match(
      error.message,
      /^Cannot poll '.*\?code=\*\*\*': the restored state belongs to a URL/,
    );
    assert(!/USD|EUR/.test(error.message));
  }
  assert.equal(server.requests.length, 1, "no request is made");

  const same = pollerOf(server, {}, usd);
  same.restore(state);
  assert.equal(await told(same), "");
  assert.deepEqual(same.save(), state);
  // Nothing was read before: there is nothing to belong to another.
  const fresh = pollerOf(server, {}, eur);
  fresh.restore(pollerOf(server, {}, usd).save());
  assert.equal(await told(fresh), `added ${eur}`);
});

test(
  "C1: a checkpoint of such a URL ends the watch, and is left as it is",
  { timeout },
  async (t) => {
    const server = await serve(
      t,
      ({ url = "" }, response) => send(response, { body: url, headers }),
    );
    const checkpoint = new MemoryCheckpointStore();
    const options = { interval: 1, checkpoint, logger: false } as const;
    const before = watchExternal(pollerOf(server, {}, "/rate?code=USD"), options);
    const reading = (async () => {
      for await (const _event of before);
    })();
    await before.synced;
    before.close();
    await reading;
    const other = pollerOf(server, {}, "/rate?code=EUR");
    const saved = await checkpoint.load(other.name);
    assert(saved !== undefined);
    const requests = server.requests.length;
    await assert.rejects(watchExternal(other, options).getReader().read(), { code: "checkpoint" });
    assert.deepEqual(await checkpoint.load(other.name), saved);
    assert.equal(server.requests.length, requests);
  },
);

test("C1: what is masked cannot be read from the state, nor told from that of another poller", {
  timeout,
}, async (t) => {
  const server = await serve(t, (_, response) => send(response, { body: "x", headers }));
  const states = [];
  for (let nth = 0; nth < 2; nth++) {
    const poller = pollerOf(server, {}, "/?token=hunter2");
    await poll(poller);
    states.push(new TextDecoder("latin1").decode(poller.save()));
  }
  for (const state of states) {
    assert(!state.includes("hunter2"));
    assert(state.includes("fingerprint"));
  }
  assert.notEqual(states[0], states[1], "each has a salt of its own");
});

test("C1: state without what is needed to know its URL is refused", { timeout }, () => {
  const seen = { url: "", digest: `${"A".repeat(43)}=`, settled: true };
  const fingerprint = { salt: "", digest: seen.digest };
  const sealed = (url: string, state: unknown) =>
    seal(JSON.stringify(["http", url]), [new TextEncoder().encode(JSON.stringify(state))]);
  const [open, masked] = ["https://example.com/", "https://example.com/?code=***"];
  assert.match(
    refusal(new HttpPoller(`${open}?code=1`), sealed(masked, { seen })).message,
    /lacks the digest .* an earlier release/,
  );
  assert.match(
    refusal(new HttpPoller(`${open}?code=1`), sealed(masked, { doubt: seen })).message,
    /lacks the digest/,
  );
  assert.match(
    refusal(new HttpPoller(open), sealed(open, { seen, fingerprint })).message,
    /belongs to a URL/,
  );
  assert.match(
    refusal(new HttpPoller(`${open}?a=1`), sealed(open, { seen })).message,
    /belongs to/,
  );
  new HttpPoller(open).restore(sealed(open, { seen }));
});

test("C1: the right checksum and the wrong shape", { timeout }, () => {
  const url = "https://example.com/";
  const identity = JSON.stringify(["http", url]);
  const good = { url, digest: `${"A".repeat(43)}=`, settled: true, etag: '"1"', lastModified: "x" };
  const states: unknown[] = [
    null,
    7,
    "state",
    [],
    { seen: null },
    { seen: 7 },
    { seen: [] },
    { seen: {} },
    { doubt: {} },
    { fingerprint: null },
    { fingerprint: { salt: 7, digest: good.digest } },
    { fingerprint: { salt: "", digest: "" } },
  ];
  for (
    const [field, values] of Object.entries({
      url: [undefined, 7, null, "no URL", "ftp://example.com/"],
      digest: [undefined, 7, "", "AAAA", `${good.digest} `],
      settled: [undefined, 1, "true"],
      etag: [7, null, "", "bare", 'W/""', '"a\nb"', "*"],
      lastModified: [7, null, "", "a\nb", "\u0100", "a\0", "a\x01b", "a\x7f"],
    })
  ) {
    for (const value of values) {
      states.push({ seen: { ...good, [field]: value } }, { doubt: { ...good, [field]: value } });
    }
  }
  const encoder = new TextEncoder();
  const texts = [...states.map((state) => JSON.stringify(state)), "", "{", "undefined", '{"a":1}x'];
  for (const text of texts) {
    const error = refusal(new HttpPoller(url), seal(identity, [encoder.encode(text)]));
    assert.match(error.message, /^Cannot restore the state of .* as it is damaged/, text);
  }
  const notText = refusal(
    new HttpPoller(url),
    seal(identity, [new Uint8Array([0x7b, 0xff, 0x7d])]),
  );
  assert.match(notText.message, /damaged/);
  new HttpPoller(url).restore(seal(identity, [encoder.encode(JSON.stringify({ seen: good }))]));
});

test("C1: any mutation with its checksum made right is refused, or polls go on", {
  timeout: 60_000,
}, async (t) => {
  const server = await serve(t, (request, response) => {
    const known = request.headers["if-none-match"] === '"1"';
    send(response, known ? { status: 304 } : { body: "x", headers });
  });
  const poller = pollerOf(server, {}, "/?key=abc");
  for (const _event of await poller.poll({ signal: new AbortController().signal })) break;
  await poll(poller);
  const plain = pollerOf(server);
  await poll(plain);
  const mutation = fc.record({
    at: fc.nat({ max: 2_000 }),
    how: fc.constantFrom("flip", "set", "insert", "delete", "swap"),
    byte: fc.oneof(
      fc.nat({ max: 255 }),
      fc.constantFrom(...new TextEncoder().encode('{}[]",:0nft\\')),
    ),
  });
  let accepted = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom("/", "/?key=abc"),
      fc.array(mutation, { minLength: 1, maxLength: 4 }),
      async (path, mutations) => {
        const bytes = [...(path === "/" ? plain : poller).save()].slice(0, -16);
        // Behind the head, whose length would have to be right as well.
        for (const { at, how, byte } of mutations) {
          const place = 24 + at % (bytes.length - 24);
          if (how === "flip") bytes[place]! ^= 1 << byte % 8;
          else if (how === "set") bytes[place] = byte;
          else if (how === "insert") bytes.splice(place, 0, byte);
          else if (how === "delete") bytes.splice(place, 1);
          else [bytes[place], bytes[place - 1]] = [bytes[place - 1]!, bytes[place]!];
        }
        const state = new Uint8Array([...bytes, ...new Uint8Array(16)]);
        new DataView(state.buffer).setFloat64(12, state.length, true);
        state.set(checksum(state, bytes.length), bytes.length);
        const restored = pollerOf(server, {}, path);
        try {
          restored.restore(state);
        } catch (error) {
          assert(error instanceof ExternalError && error.code === "checkpoint", String(error));
          return;
        }
        accepted++;
        try {
          await poll(restored);
          assert.equal(await told(restored), "");
        } catch (error) {
          assert(error instanceof ExternalError && error.code === "checkpoint", String(error));
        }
      },
    ),
    { numRuns: 2_000 },
  );
  assert(accepted > 0, "some mutations change nothing that matters");
});

test("a delivery that broke off is told once more behind a restart, whatever it was", {
  timeout,
}, async (t) => {
  let status = 200;
  const server = await serve(
    t,
    (_, response) => send(response, status === 200 ? { body: "x", headers } : { status }),
  );
  const { signal } = new AbortController();
  const restart = (poller: HttpPoller) => {
    const next = pollerOf(server);
    next.restore(poller.save());
    return next;
  };
  let poller = pollerOf(server);
  for (const _event of await poller.poll({ signal })) break;
  poller = restart(poller);
  assert.equal(await told(poller), "added x");
  status = 404;
  for (const _event of await poller.poll({ signal })) break;
  poller = restart(poller);
  status = 200;
  assert.equal(await told(poller), "modified x", "it may be taken for gone");
  status = 404;
  for (const _event of await poller.poll({ signal })) break;
  poller = restart(restart(poller));
  const [removed, ...more] = await poll(poller);
  assert.equal(removed?.type, "removed");
  assert.equal(removed.item.etag, '"1"');
  assert.deepEqual(more, []);
  assert.equal(await told(restart(poller)), "");
});

test("an older delivery that is read to its end after a newer one commits nothing", {
  timeout,
}, async (t) => {
  const bodies = ["one", "two", "two"];
  const server = await serve(t, (_, response, nth) => send(response, { body: bodies[nth - 1]! }));
  const poller = pollerOf(server);
  const { signal } = new AbortController();
  const older = (await poller.poll({ signal }))[Symbol.iterator]();
  older.next();
  assert.equal(await told(poller), "added two");
  assert.equal(older.next().done, true);
  assert.equal(await told(poller), "", "'two' is what is known");
});
