/**
 * The records of a name as a source of your own: which addresses come and go. Here a small name server of our own answers;
 * leave out `servers` to ask the one of this machine.
 */
import { Resolver } from "node:dns/promises";
import { CollectionPoller, watchExternal } from "@koprs/external";
import { serveNames } from "./_dns_server.ts";

/** Watches the A records of a name. */
function addressesOf(name: string, servers?: readonly string[]): CollectionPoller<string> {
  const resolver = new Resolver({ timeout: 2_000, tries: 2 });
  if (servers !== undefined) resolver.setServers([...servers]);
  return new CollectionPoller<string>({
    name: `addresses of ${name}`,
    key: (address) => address,
    async *list() {
      try {
        yield await resolver.resolve4(name);
      } catch (error) {
        // The server says that there is none: all are gone. A server that does not answer is a failed poll instead.
        const { code } = error as { code?: string };
        if (code !== "ENOTFOUND" && code !== "ENODATA") throw error;
        yield [];
      }
    },
  });
}

/** What the name server says, step by step. */
const steps: readonly (readonly string[])[] = [
  ["192.0.2.1", "192.0.2.2"],
  ["192.0.2.2", "192.0.2.3"],
  [],
];
let step = 0;
const server = await serveNames(() => steps[step] ?? []);

const source = addressesOf("service.example", [server.address]);
const watch = watchExternal(source, {
  interval: 50,
  onPoll({ outcome }) {
    if (outcome !== "changed") return;
    step++;
    if (step === steps.length) watch.close();
  },
});
for await (const { type, item } of watch) console.log(type.padEnd(8), item);
await server.close();
