/**
 * Ends gracefully on SIGTERM, which Kubernetes sends: the current event is handled to its end, then the
 * loop ends, and so does the process.
 */
import process from "node:process";
import { watchExternal } from "@koprs/external";

let item = 0;
const counter = {
  name: "counter",
  poll: () => Promise.resolve([{ type: "modified", item: item++ } as const]),
};

const watch = watchExternal(counter, 100);
const onSignal = () => {
  console.log("SIGTERM: no more polls");
  watch.close();
};
process.on("SIGTERM", onSignal);

for await (const event of watch) {
  console.log("handled", event.item);
  // The example sends the signal to itself; in a cluster, it comes from Kubernetes.
  if (event.item === 2) process.kill(process.pid, "SIGTERM");
}
process.off("SIGTERM", onSignal);
console.log("ended", watch.status.phase);
