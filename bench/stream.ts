/**
 * Events through a watch, against a bare stream with the same queuing strategy, and against an async generator.
 *
 * Run: `deno run -A bench/stream.ts [--json]`.
 *
 * @module
 */
import { type ExternalEvent, type ExternalSource, watchExternal } from "@koprs/external/watcher";
import { inTurn, median, report, type Row, RUNTIME, SMOKE, withSpread } from "./_harness.ts";

const COUNT = SMOKE ? 20_000 : 1_000_000;
const ROUNDS = SMOKE ? 1 : 5;

function* events(): Generator<ExternalEvent<number>> {
  for (let item = 0; item < COUNT; item++) yield { type: "added", item };
}

/** Reads the events of one poll in a loop, as a user does. */
async function count(stream: AsyncIterable<ExternalEvent<number>>): Promise<number> {
  let count = 0;
  for await (const event of stream) {
    if (event.type === "added" && ++count === COUNT) break;
  }
  return count;
}

function bareStream(): ReadableStream<ExternalEvent<number>> {
  const iterator = events();
  return new ReadableStream({
    pull(controller) {
      const next = iterator.next();
      if (next.done) controller.close();
      else controller.enqueue(next.value);
    },
  }, { highWaterMark: 0 });
}

async function* generator(): AsyncGenerator<ExternalEvent<number>> {
  yield* events();
}

const [watch = [], bare = [], generated = []] = await inTurn([
  {
    name: "watchExternal",
    expected: COUNT,
    work() {
      const source: ExternalSource<number> = {
        name: "synthetic",
        poll: () => Promise.resolve(events()),
      };
      return count(watchExternal(source, 60_000));
    },
  },
  { name: "ReadableStream", expected: COUNT, work: () => count(bareStream()) },
  { name: "async generator", expected: COUNT, work: () => count(generator()) },
], ROUNDS);

const what = `events through a watch, ${RUNTIME}`;
const rates = (times: readonly number[]) => times.map((ms) => COUNT / ms / 1000);
const [ours, ...rivals] = [watch, bare, generated].map(rates);
report(["bare ReadableStream", "async generator"].map((name, i): Row => ({
  what,
  ours: withSpread(ours ?? [], "M/s", 2),
  rival: `${withSpread(rivals[i] ?? [], "M/s", 2)} ${name}`,
  ratio: median(ours ?? []) / median(rivals[i] ?? []),
  sense: "faster",
  ...(i === 0 && { budget: "≥ 0.5 M/s", met: median(ours ?? []) >= 0.5 }),
})));
