// Nothing is left on a caller's signal, however a request ends, and an abort ends it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { WebDavStore } from "@koprs/external/stores/webdav";
import { encode, file, folder, multistatus } from "./_webdav.ts";

/** A signal that counts the listeners on it. */
function counted(): { controller: AbortController; listeners: () => number } {
  const controller = new AbortController();
  const { signal } = controller;
  const listeners = new Map<unknown, boolean>();
  const add = signal.addEventListener.bind(signal) as (...args: unknown[]) => void;
  const remove = signal.removeEventListener.bind(signal) as (...args: unknown[]) => void;
  Object.defineProperties(signal, {
    addEventListener: {
      value: (type: string, listener: unknown, options?: AddEventListenerOptions) => {
        listeners.set(listener, options?.once === true);
        add(type, listener, options);
      },
    },
    removeEventListener: {
      value: (type: string, listener: unknown, options: unknown) => {
        listeners.delete(listener);
        remove(type, listener, options);
      },
    },
  });
  // An abort takes those off that are called once.
  const left = () => [...listeners.values()].filter((once) => !(once && signal.aborted)).length;
  return { controller, listeners: left };
}

type Respond = (method: string, path: string) => Response | Promise<Response>;

function storeOn(respond: Respond): WebDavStore {
  return new WebDavStore("http://localhost/dav/", {
    fetch: (input, init) =>
      new Promise((resolve, reject) => {
        // A fetch is aborted by its signal.
        init?.signal?.addEventListener("abort", () => reject(init.signal?.reason), { once: true });
        const { pathname } = new URL(String(input));
        Promise.resolve(respond(init?.method ?? "GET", pathname)).then(resolve, reject);
      }),
  });
}

const files: Respond = (method, path) => {
  if (method !== "PROPFIND") return new Response("body", { headers: { etag: '"1"' } });
  const inner = Array.from({ length: 1_500 }, (_, i) => file(`${path}${i}`));
  const more = path === "/dav/" ? [folder("/dav/sub/")] : [];
  return new Response(multistatus(folder(path), ...inner, ...more), { status: 207 });
};
const failing: Respond = () => new Response(null, { status: 503 });
const hanging: Respond = () => new Promise(() => {});

const options = (controller: AbortController) => ({ signal: controller.signal });

test("a listing leaves no listener: read to its end, broken off, and failed", async () => {
  const { controller, listeners } = counted();
  assert.equal((await Array.fromAsync(storeOn(files).list(options(controller)))).length, 3);
  assert.equal(listeners(), 0);
  for await (const page of storeOn(files).list(options(controller))) {
    assert.equal(page.length, 1_000);
    break;
  }
  assert.equal(listeners(), 0);
  await assert.rejects(Array.fromAsync(storeOn(failing).list(options(controller))));
  assert.equal(listeners(), 0);
});

test("a read leaves no listener: read to its end, cancelled, refused, and failed", async () => {
  const { controller, listeners } = counted();
  const { signal } = controller;
  const get = (respond: Respond, ifMatch?: string) =>
    storeOn(respond).get("a", ifMatch === undefined ? { signal } : { signal, ifMatch });
  await new Response(await get(files)).text();
  assert.equal(listeners(), 0);
  await (await get(files, '"1"')).cancel();
  assert.equal(listeners(), 0);
  await assert.rejects(get(files, '"2"'));
  assert.equal(listeners(), 0);
  await assert.rejects(get(failing));
  assert.equal(listeners(), 0);
});

test("a write leaves no listener: done, refused, and failed", async () => {
  const { controller, listeners } = counted();
  const { signal } = controller;
  const put = (respond: Respond, ifMatch?: string) =>
    storeOn(respond).put(
      "a",
      encode("x"),
      ifMatch === undefined ? { signal } : { signal, ifMatch },
    );
  await put(files);
  assert.equal(listeners(), 0);
  await assert.rejects(put(files, '"1"'), /ignores conditions/);
  assert.equal(listeners(), 0);
  await assert.rejects(put(failing, '"1"'));
  assert.equal(listeners(), 0);
});

test("an abort ends what is under way with its reason, and leaves no listener", async () => {
  const stop = new Error("enough");
  const runs: ((store: WebDavStore, signal: AbortSignal) => Promise<unknown>)[] = [
    (store, signal) => Array.fromAsync(store.list({ signal })),
    (store, signal) => store.get("a", { signal }),
    (store, signal) => store.get("a", { signal, ifMatch: '"1"' }),
    (store, signal) => store.put("a", encode("x"), { signal }),
    (store, signal) => store.put("a", encode("x"), { signal, ifMatch: '"1"' }),
  ];
  for (const run of runs) {
    const { controller, listeners } = counted();
    const running = run(storeOn(hanging), controller.signal);
    controller.abort(stop);
    await assert.rejects(running, (error) => error === stop);
    assert.equal(listeners(), 0);
    let requests = 0;
    const store = storeOn(() => (requests++, hanging("", "")));
    await assert.rejects(run(store, controller.signal), (error) => error === stop);
    assert.equal(requests, 0, "an aborted signal makes no request");
  }
});
