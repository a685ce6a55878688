/**
 * Ends gracefully on SIGTERM, as Kubernetes sends it: the event at hand is handled to its end, then the
 * loop ends, and the process by itself.
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
  // Here the example sends the signal to itself; in a cluster the kubelet does.
  if (event.item === 2) process.kill(process.pid, "SIGTERM");
}
process.off("SIGTERM", onSignal);
console.log("ended", watch.status.phase);
