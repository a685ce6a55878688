/**
 * Lets what has arrived be taken in. A consumer that reads on and on, with nothing to wait for between two events, keeps the
 * runtime from it: no answer of a server would get through before the last event.
 */

/** For how long such a consumer may read on, in milliseconds, and for how many events at least. */
const LONGEST = 10;
const LEAST = 64;

export class Breath {
  #since = 0;
  #events = 0;

  /** To be called when a read has to wait: all that has arrived is taken in then. */
  taken(): void {
    this.#events = 0;
  }

  /** To be called for every read. Returns a promise to wait for first, if it is time to. */
  next(): Promise<void> | undefined {
    if (this.#events++ === 0) this.#since = performance.now();
    if (this.#events <= LEAST || performance.now() - this.#since < LONGEST) return undefined;
    this.#events = 0;
    return turn();
  }
}

/** One turn of the runtime's loop. A timer would wait for a millisecond or more. */
function turn(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      port2.close();
      resolve();
    };
    port2.postMessage(undefined);
  });
}
