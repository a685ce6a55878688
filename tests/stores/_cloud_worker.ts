// A program that lists, reads and writes with a client as it is by default, and says how each call ended. It hooks nothing
// that would keep it alive: what ends a program of a user ends this one.
//
//     _cloud_worker.ts GcsStore|AzureStore ORIGIN MODE…
import process from "node:process";

// The clients wait up to 12 s between their tries: here those waits are twenty times as short. The bound of a request is not
// that short, as a busy machine takes its time.
const setTimer = globalThis.setTimeout;
globalThis.setTimeout =
  ((callback: () => void, ms = 0, ...rest: unknown[]) =>
    setTimer(callback, ms === 60_000 ? 8_000 : ms / 20, ...rest as [])) as typeof setTimeout;

const { clouds } = await import("./_clouds.ts");
const [title, origin = "", ...modes] = process.argv.slice(2);
const cloud = clouds.find((cloud) => cloud.title === title)!;
const store = cloud.store(origin, {}, "default");

const calls = {
  list: (mode: string) => Array.fromAsync(store.list({ prefix: mode })),
  get: async (mode: string) => await new Response(await store.get(mode)).text(),
  put: (mode: string) => store.put(mode, new TextEncoder().encode("content")),
  // One with a condition is tried again by more clients.
  create: (mode: string) =>
    store.put(`${mode}.new`, new TextEncoder().encode("content"), { ifNoneMatch: "*" }),
};

await Promise.all(
  modes.flatMap((mode) =>
    Object.entries(calls).map(async ([name, call]) => {
      const outcome = await call(mode).then(
        () => ({ code: "ok" }),
        ({ code = "no code", status, retryAfter, message }) => ({
          code,
          status,
          retryAfter,
          message,
        }),
      );
      console.log(JSON.stringify({ case: `${name} ${mode}`, ...outcome }));
    })
  ),
);
// What fails late fails now.
await new Promise((resolve) => setTimer(resolve, 200));
console.log(JSON.stringify({ case: "alive" }));
process.exit(0);
