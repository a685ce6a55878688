/** A source of your own: any object with `name` and `poll`. This one watches the load of the machine. */
import { loadavg } from "node:os";
import { type ExternalSource, watchExternal } from "@koprs/external";

let last: number | undefined;

const load: ExternalSource<number> = {
  name: "load",
  poll() {
    const item = loadavg()[0] ?? 0;
    function* changes() {
      if (item !== last) yield { type: last === undefined ? "added" : "modified", item } as const;
      last = item; // After the last event: all were handled, so the next poll compares with this.
    }
    return Promise.resolve(changes());
  },
};

for await (const event of watchExternal(load, 1_000)) {
  console.log(event.type, event.item);
  break; // A real operator would go on.
}
