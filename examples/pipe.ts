/**
 * Pipes a watch, which is a ReadableStream, into a sink. A slow sink slows the polls down. A pipe reads one
 * event ahead of the sink, so an event counts as handled when the sink begins with it.
 */
import { type ExternalEvent, watchExternal } from "@koprs/external";

const items = ["a", "b", "c"];
const letters = {
  name: "letters",
  poll: () => Promise.resolve(items.splice(0).map((item) => ({ type: "added", item }) as const)),
};

const done = new AbortController();
const sink = new WritableStream<ExternalEvent<string>>({
  write({ type, item }) {
    console.log(type, item);
    if (item === "c") done.abort("that was all");
  },
});

const watch = watchExternal(letters, 1_000);
await watch.pipeTo(sink, { signal: done.signal }).catch((reason) => console.log(reason));
console.log("ended", watch.status.phase);
