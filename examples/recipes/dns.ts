/**
 * Watches the addresses of a DNS name, as a source of your own. Here a small name server of the example answers. To ask
 * the one that this machine uses, leave out `servers`.
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
        // The server says that there is no address: all are removed. If it does not answer, the poll must fail instead.
        const { code } = error as { code?: string };
        if (code !== "ENOTFOUND" && code !== "ENODATA") throw error;
        yield [];
      }
    },
  });
}

/** The addresses that the name server gives, step by step. */
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
