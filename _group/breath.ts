/**
 * Gives the runtime time to process what has arrived. A consumer that reads event after event without waiting keeps the
 * runtime from doing so: no answer of a server would get through before the last event.
 */

/** How long such a consumer may read without a break, in milliseconds, and how many events at least. */
const LONGEST = 10;
const LEAST = 64;

export class Breath {
  #since = 0;
  #events = 0;

  /** To be called when a read has to wait: the runtime processes all that has arrived during the wait. */
  taken(): void {
    this.#events = 0;
  }

  /** To be called for every read. If it is time for a break, returns a promise to wait for before the read. */
  next(): Promise<void> | undefined {
    if (this.#events++ === 0) this.#since = performance.now();
    if (this.#events <= LEAST || performance.now() - this.#since < LONGEST) return undefined;
    this.#events = 0;
    return turn();
  }
}

/** Waits for one turn of the event loop. A timer would take a millisecond or more. */
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
