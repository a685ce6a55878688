// Free TCP ports on loopback, for servers that must be told their port before they start.
import { createServer } from "node:net";
import { randomInt } from "node:crypto";

// Below the ephemeral range of Linux (32768…) and macOS (49152…): while a killed server is down, no
// outgoing connection of another test can be given its port, so it can restart on the same one.
const FIRST = 15_000;
const LAST = 32_000;
const handedOut = new Set<number>();

/** A port of 127.0.0.1 that nothing listens on now, and that this process was not given before. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const port = randomInt(FIRST, LAST);
    if (handedOut.has(port) || !await canListen(port)) continue;
    handedOut.add(port);
    return port;
  }
  throw new Error(`Cannot find a free port between ${FIRST} and ${LAST} on 127.0.0.1`);
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen({ port, host: "127.0.0.1", exclusive: true }, () => {
      probe.close(() => resolve(true));
    });
  });
}
