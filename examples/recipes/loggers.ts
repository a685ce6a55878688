/**
 * Loggers: any object with `debug`, `info`, `warn` and `error` that take a line of text fits. pino and winston fit as
 * they are. LogTape would treat the line as a template and replace the braces in it: pass the line as an argument.
 */
import { Writable } from "node:stream";
import { type Logger, watchExternal } from "@koprs/external/watcher";
import { configure, getLogger, reset } from "@logtape/logtape";
import pino from "pino";
import winston from "winston";

/** A source whose first polls fail, with braces in the message. */
function flaky() {
  let polls = 0;
  return {
    name: "config {eu}",
    poll: () =>
      ++polls < 2 ? Promise.reject(new Error('answered {"error": "busy"}')) : Promise.resolve([]),
  };
}

/** The lines that a logger has written. */
const written: string[] = [];
const sink = () =>
  new Writable({
    write(chunk, _, done) {
      written.push(String(chunk).trim());
      done();
    },
  });

await configure({
  sinks: { lines: ({ level, message }) => void written.push(`${level} ${message.join("")}`) },
  loggers: [
    { category: "app", sinks: ["lines"], lowestLevel: "debug" },
    { category: ["logtape", "meta"], sinks: [] },
  ],
});
const logtape = getLogger(["app", "external"]);

const loggers: Readonly<Record<string, Logger>> = {
  pino: pino({ level: "debug", base: null }, sink()),
  winston: winston.createLogger({
    level: "debug",
    format: winston.format.json(),
    transports: [new winston.transports.Stream({ stream: sink() })],
  }),
  LogTape: {
    debug: (line) => logtape.debug("{line}", { line }),
    info: (line) => logtape.info("{line}", { line }),
    warn: (line) => logtape.warn("{line}", { line }),
    error: (line) => logtape.error("{line}", { line }),
  },
};

for (const [name, logger] of Object.entries(loggers)) {
  const watch = watchExternal(flaky(), { interval: 20, logger });
  watch.synced.then(() => watch.close());
  for await (const _ of watch);
  console.log(`${name}:`);
  for (const line of written.splice(0)) {
    console.log(`  ${line}`);
    if (line.includes("attempt") && !/\{.*busy.*\}/.test(line)) {
      throw new Error("The braces are gone");
    }
  }
}
await reset();
