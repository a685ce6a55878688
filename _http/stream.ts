/** An answer whose body is handed over as a stream. */
import { boundedStream } from "../_bounds/bounded_stream.ts";
import { discard } from "./whole_body.ts";
import type { Exchange, HttpClient } from "./request.ts";

/**
 * Makes one exchange and hands its body over as a stream. The client's `timeout` bounds the time until the answer,
 * and then each read of the body. `maxBytes` does not apply: whoever asked for the stream decides how much of it to
 * read.
 */
export async function openStream(
  client: HttpClient,
  exchange: Exchange,
): Promise<ReadableStream<Uint8Array>> {
  let answered = false;
  const opened = await client.open(
    exchange,
    () => answered ? "nothing more of the body" : "no answer",
  );
  const { response, route, limits } = opened;
  const presentable = (thrown: unknown) => client.presentable(thrown, opened);
  limits.stopTimer();
  answered = true;
  try {
    const { status, headers } = response;
    if (!exchange.wants(status, headers)) throw client.statusError(status, headers, route);
    client.checkCoding(opened);
    return boundedStream(response.body ?? new Blob([]).stream(), limits, presentable);
  } catch (thrown) {
    discard(response);
    limits.release();
    throw presentable(thrown);
  }
}
