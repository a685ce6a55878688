// What a user's program asks of the declarations. Checked by TypeScript in package_test.ts, never run.
import { ExternalError, type ExternalEvent, HttpPoller, watchExternal } from "@koprs/external";
import type { HttpResource } from "@koprs/external/http";
import type { ExternalSource, ExternalWatch, PollOptions } from "@koprs/external/watcher";

class Numbers implements ExternalSource<number> {
  readonly name = "numbers";
  #next = 0;

  poll({ signal }: PollOptions): Promise<Iterable<ExternalEvent<number>>> {
    signal.throwIfAborted();
    return Promise.resolve([{ type: "added", item: this.#next++ }]);
  }
}

export async function consume(url: URL, signal: AbortSignal): Promise<number> {
  const poller = new HttpPoller(url, { headers: { "x-key": "value" }, bearerToken: () => "token" });
  const watch: ExternalWatch<HttpResource> = watchExternal(poller, {
    interval: 30_000,
    jitter: 0,
    signal,
    minBackoff: 5_000,
    logger: Math.random() < 0.5 ? console : false,
    onError(error, { attempt, wait }) {
      const status: number | undefined = error instanceof ExternalError ? error.status : undefined;
      console.log(error.code, status, attempt, wait);
    },
  });
  let bytes = 0;
  for await (const event of watch) {
    if (event.type === "modified") bytes -= event.previous?.body.byteLength ?? 0;
    bytes += event.item.body.byteLength;
  }
  for await (const { type } of watch.values({ preventCancel: true })) console.log(type);
  const iterator = watch[Symbol.asyncIterator]();
  const { done } = await iterator.return();
  console.log(done, JSON.stringify(watch.status));
  const numbers: ReadableStream<ExternalEvent<number>> = watchExternal(new Numbers(), 1000);
  await numbers.cancel();
  // @ts-expect-error: an interval is a number
  watchExternal(new Numbers(), "30s");
  return bytes;
}
