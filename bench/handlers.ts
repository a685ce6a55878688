/**
 * Handlers that run concurrently: 16 at once, of 50 ms each, against a loop; events a second through handlers that do
 * nothing, against the same loop; and the memory with a million events waiting.
 *
 * Run: `deno run -A --v8-flags=--expose-gc bench/handlers.ts [--json]`.
 *
 * @module
 */
import { type ExternalEvent, type ExternalWatch, watchExternal } from "@koprs/external/watcher";
import { MemoryCheckpointStore } from "@koprs/external/checkpoints/memory";
import { type ObjectMeta, type ObjectStore, ObjectStorePoller } from "@koprs/external/store";
import {
  inTurn,
  liveBytes,
  median,
  megabytes,
  report,
  type Row,
  RUNTIME,
  SMOKE,
  withSpread,
} from "./_harness.ts";

/** How long a handler takes that does something, in milliseconds. */
const TIME = 50;
const CONCURRENCY = 16;
const SLOW = SMOKE ? 320 : 10_000;
/** All of them one by one would take minutes. So there are fewer, and the times of a single event are compared. */
const ONE_BY_ONE = SMOKE ? 10 : 200;
const QUICK = SMOKE ? 20_000 : 500_000;
const WAITING = SMOKE ? 50_000 : 1_000_000;
const ROUNDS = SMOKE ? 1 : 3;

/** A store of `count` objects, in order. */
function storeOf(count: number): ObjectStore {
  return {
    name: "synthetic://bucket",
    get: () => Promise.reject(new Error("No object has content")),
    async *list() {
      for (let i = 0; i < count;) {
        const page: ObjectMeta[] = [];
        for (const stop = Math.min(i + 1000, count); i < stop; i++) {
          page.push({ key: `data/part-${String(i).padStart(9, "0")}`, size: i, etag: `"${i}"` });
        }
        yield page;
        await Promise.resolve();
      }
    },
  };
}

function watchOf(count: number, checkpoint?: MemoryCheckpointStore): ExternalWatch<ObjectMeta> {
  return watchExternal(new ObjectStorePoller(storeOf(count)), {
    interval: 60_000,
    ...(checkpoint && { checkpoint }),
  });
}

const work = () => new Promise<void>((resolve) => setTimeout(resolve, TIME));

/** Handles all events of the first listing, and returns their number. */
async function handleAll(
  watch: ExternalWatch<ObjectMeta>,
  concurrency: number,
  handler: (event: ExternalEvent<ObjectMeta>) => unknown,
): Promise<number> {
  let handled = 0;
  watch.synced.then(() => watch.close());
  await watch.handle(async (event) => {
    await handler(event);
    handled++;
  }, { concurrency });
  return handled;
}

async function readAll(
  watch: ExternalWatch<ObjectMeta>,
  count: number,
  handler?: () => Promise<void>,
): Promise<number> {
  let read = 0;
  for await (const _event of watch) {
    if (handler !== undefined) await handler();
    if (++read === count) break;
  }
  return read;
}

async function sideBySide(): Promise<Row> {
  const [[together = NaN] = [], [alone = NaN] = []] = await inTurn([
    {
      name: "handle",
      expected: SLOW,
      work: () => handleAll(watchOf(SLOW, new MemoryCheckpointStore()), CONCURRENCY, work),
    },
    {
      name: "for await",
      expected: ONE_BY_ONE,
      work: () => readAll(watchOf(ONE_BY_ONE), ONE_BY_ONE, work),
    },
  ], 1);
  const [ours, rival] = [together / SLOW, alone / ONE_BY_ONE];
  return {
    what: `${SLOW} events, ${CONCURRENCY} handlers of ${TIME} ms, saved, ${RUNTIME}`,
    ours: `${ours.toFixed(2)} ms an event`,
    rival: `${rival.toFixed(2)} ms one by one`,
    ratio: rival / ours,
    sense: "faster",
    budget: "≥ 15.5×",
    met: rival / ours >= 15.5,
  };
}

async function rates(): Promise<Row> {
  const [handled = [], read = []] = await inTurn([
    {
      name: "handle",
      expected: QUICK,
      async work() {
        let handled = 0;
        const watch = watchOf(QUICK);
        watch.synced.then(() => watch.close());
        await watch.handle(() => void handled++, { concurrency: CONCURRENCY });
        return handled;
      },
    },
    { name: "for await", expected: QUICK, work: () => readAll(watchOf(QUICK), QUICK) },
  ], ROUNDS);
  const perSecond = (times: readonly number[]) => times.map((ms) => QUICK / ms / 1000);
  return {
    what: `listed and handled by a handler that does nothing, ${RUNTIME}`,
    ours: withSpread(perSecond(handled), "M/s", 2),
    rival: `${withSpread(perSecond(read), "M/s", 2)} for await`,
    ratio: median(handled) / median(read),
    sense: "as long",
  };
}

async function waiting(): Promise<Row> {
  const watch = watchOf(WAITING);
  const gate = Promise.withResolvers<void>();
  const full = Promise.withResolvers<void>();
  let running = 0;
  const done = handleAll(watch, CONCURRENCY, async () => {
    if (++running === CONCURRENCY) full.resolve();
    await gate.promise;
  });
  await full.promise;
  const before = await liveBytes();
  gate.resolve();
  if (await done !== WAITING) throw new Error("Not all were handled");
  const after = await liveBytes();
  return {
    what: `memory with ${WAITING} events waiting, ${RUNTIME}`,
    ours: megabytes(before),
    rival: `${megabytes(after)} with none`,
    ratio: before / after,
    sense: "as much",
    budget: "≤ 1.15×",
    met: before / after <= 1.15,
  };
}

report([await sideBySide(), await rates(), await waiting()]);
