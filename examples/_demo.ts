/** The demonstration: a small server and a folder that change, and fail, while they are watched. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HttpPoller, ObjectStorePoller, watchExternal } from "@koprs/external";
import { LocalStore } from "@koprs/external/stores/local";
import type { Printer } from "./_print.ts";

const INTERVAL = 300;

/** What the server answers, poll by poll. It repeats an answer with 304 where it may. */
const ANSWERS: readonly (string | number)[] = [
  '{"replicas": 1}',
  '{"replicas": 1}',
  '{"replicas": 3}',
  503,
  500,
  '{"replicas": 3}',
  404,
  '{"replicas": 2}',
];

/** Runs the demonstration, and ends by itself after a few seconds. */
export async function demonstrate(printer: Printer): Promise<void> {
  await watchServer(printer);
  await watchFolder(printer);
  printer.note("That is all. Watch something of yours: examples/watch.ts --help");
}

async function watchServer(printer: Printer): Promise<void> {
  let polls = 0;
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    const answer = ANSWERS[Math.min(polls++, ANSWERS.length - 1)] as string | number;
    if (typeof answer === "number") return new Response(null, { status: answer });
    const etag = `"${answer.length}-${answer.charCodeAt(13)}"`;
    const known = request.headers.get("if-none-match") === etag;
    return new Response(known ? null : answer, { status: known ? 304 : 200, headers: { etag } });
  });
  const url = `http://127.0.0.1:${server.addr.port}/config.json`;
  printer.note(`A server of our own, polled every ${INTERVAL} ms: ${url}`);
  const watch = watchExternal(new HttpPoller(url), {
    interval: INTERVAL,
    jitter: 0,
    logger: false, // the printer tells
    onError: (error, info) => printer.failure(url, error, info),
  });
  for await (const event of watch) {
    printer.event(url, event);
    if (polls >= ANSWERS.length) break;
  }
  await server.shutdown();
}

async function watchFolder(printer: Printer): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "koprs-external-"));
  printer.note(`A folder of our own: ${folder}`);
  const report = join(folder, "report.csv");
  const steps = [
    () => writeFile(report, "a,b,c\n1,2,3\n"),
    () => rm(report),
  ];
  try {
    await writeFile(report, "a,b,c\n");
    const store = new LocalStore(folder);
    for await (const event of watchExternal(new ObjectStorePoller(store), INTERVAL)) {
      printer.event(store.name, event);
      const step = steps.shift();
      if (step === undefined) break;
      await step();
    }
  } finally {
    await rm(folder, { recursive: true });
  }
}
