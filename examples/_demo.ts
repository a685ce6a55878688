/** The demonstration: watches a small server and a folder while they change, and while the server fails. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HttpPoller, ObjectStorePoller, watchExternal } from "@koprs/external";
import { LocalStore } from "@koprs/external/stores/local";
import { printEvent, printFailure, printNote } from "./_print.ts";
import { serve } from "./_server.ts";

const INTERVAL = 300;

/** What the server answers to each poll: a body, or an error status. A body that the client has already is a 304. */
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
export async function demonstrate(): Promise<void> {
  await watchServer();
  await watchFolder();
  printNote("That is all. Watch something of yours: examples/watch.ts --help");
}

async function watchServer(): Promise<void> {
  let polls = 0;
  const server = await serve((request, response) => {
    const answer = ANSWERS[Math.min(polls++, ANSWERS.length - 1)] as
      | string
      | number;
    if (typeof answer === "number") {
      return void response.writeHead(answer).end();
    }
    const etag = `"${answer.length}-${answer.charCodeAt(13)}"`;
    const known = request.headers["if-none-match"] === etag;
    response.writeHead(known ? 304 : 200, { etag }).end(
      known ? undefined : answer,
    );
  });
  const url = `${server.url}/config.json`;
  printNote(`A server of our own, polled every ${INTERVAL} ms: ${url}`);
  const watch = watchExternal(new HttpPoller(url), {
    interval: INTERVAL,
    jitter: 0,
    logger: false, // 'onError' prints failures
    onError: printFailure,
  });
  for await (const event of watch) {
    printEvent(url, event);
    if (polls >= ANSWERS.length) break;
  }
  await server.close();
}

async function watchFolder(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "koprs-external-"));
  printNote(`A folder of our own: ${folder}`);
  const report = join(folder, "report.csv");
  const steps = [
    () => writeFile(report, "a,b,c\n1,2,3\n"),
    () => rm(report),
  ];
  try {
    await writeFile(report, "a,b,c\n");
    const store = new LocalStore(folder);
    for await (
      const event of watchExternal(new ObjectStorePoller(store), INTERVAL)
    ) {
      printEvent(store.name, event);
      const step = steps.shift();
      if (step === undefined) break;
      await step();
    }
  } finally {
    await rm(folder, { recursive: true });
  }
}
