import { HttpPoller, type HttpResource, WatchGroup } from "@koprs/external";
import assert from "node:assert/strict";
import { test } from "node:test";
import { countListeners } from "../bounds/_listeners.ts";
import { serve } from "../http/_http_server.ts";
import { addPolled, NamedSource, withGroup } from "./_group.ts";
import { isDeno, settle } from "../watch/_watch.ts";

test("W6: a group whose sources are all removed has no timer and no listener but its own", async () => {
  const controller = new AbortController();
  const listeners = countListeners(controller.signal);
  await withGroup({ signal: controller.signal }, async (setup) => {
    const sources = Array.from({ length: 50 }, (_, i) => new NamedSource(`s${i}`));
    await addPolled(setup, ...sources);
    await setup.clock.tick(60);
    assert.ok(sources.some(({ isAsked }) => isAsked));
    await Promise.all(sources.map(({ name }) => setup.group.remove(name)));
    await settle();
    assert.equal(setup.clock.timers, 0);
    assert.equal(listeners(), 1);
    const polls = sources.flatMap(({ polls }) => polls.map(({ signal }) => countListeners(signal)));
    assert.ok(polls.every((count) => count() === 0));
  });
  assert.equal(listeners(), 0);
});

test("polls of real servers that are removed or ended give their connections back", async (t) => {
  let open = 0, asked = 0;
  const { origin } = await serve(t, (_, response) => {
    open++;
    asked++;
    response.on("close", () => open--);
    // It never answers.
  });
  const group = new WatchGroup<HttpResource>({ interval: 10, jitter: 0 });
  const read = group.getReader().read();
  read.catch(() => {});
  for (let i = 0; i < 10; i++) group.add(new HttpPoller(`${origin}/${i}`));
  while (asked < 10) await new Promise((resolve) => setTimeout(resolve, 5));
  for (let i = 0; i < 5; i++) await group.remove(`${origin}/${i}`);
  while (open > 5) await new Promise((resolve) => setTimeout(resolve, 5));
  await group[Symbol.asyncDispose]();
  while (open > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal((await read).done, true);
});

if (isDeno) {
  Deno.test({
    name: "W6: a group leaves no op and no resource, however it ends",
    ...{ sanitizeOps: true, sanitizeResources: true, sanitizeExit: true },
    async fn() {
      const ends: ((group: WatchGroup<string>, controller: AbortController) => unknown)[] = [
        (group) => group[Symbol.asyncDispose](),
        (group) => group.close(),
        (_, controller) => controller.abort(),
      ];
      for (const end of ends) {
        const controller = new AbortController();
        const group = new WatchGroup<string>({ interval: 1, signal: controller.signal });
        for (const name of ["a", "b"]) {
          group.add({
            name,
            poll: () =>
              Promise.resolve(
                Array.from({ length: 1_000 }, () => ({ type: "modified", item: name }) as const),
              ),
          });
        }
        const reader = group.getReader();
        for (let i = 0; i < 5_000; i++) await reader.read();
        const read = reader.read().catch(() => {});
        await end(group, controller);
        await read;
        while ((await reader.read().catch(() => ({ done: true }))).done !== true);
      }
    },
  });
}
