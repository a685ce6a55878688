/** Reading a stream with `for await`, in a way that can be ended at any moment. */

/**
 * Iterates over a stream, as its own async iterator does, with one difference: `return` ends a pending `next` at
 * once. With the iterator of a plain `ReadableStream`, `return` waits for the next event, which may never come.
 *
 * @example
 * ```ts
 * import { watchExternal } from "@koprs/external";
 *
 * const watch = watchExternal({ name: "quiet", poll: () => Promise.resolve([]) }, 60_000);
 * const events = watch.values();
 * const next = events.next(); // polls, and waits for an event
 * await events.return();
 * console.assert((await next).done);
 * ```
 */
export class StreamIterator<E> {
  readonly #reader: ReadableStreamDefaultReader<E>;
  readonly #preventCancel: boolean;
  #last: Promise<IteratorResult<E, undefined>> | undefined;
  #failed = false;
  #ended = false;

  /**
   * Locks the stream until the iteration ends.
   *
   * @param stream What to read.
   * @param options With `preventCancel`, `return` leaves the stream as it is, for another reader.
   * @throws {TypeError} If the stream is locked already.
   */
  constructor(stream: ReadableStream<E>, options?: { preventCancel?: boolean }) {
    this.#preventCancel = options?.preventCancel === true;
    this.#reader = stream.getReader();
    this.#reader.closed.then(() => this.#end(), () => {
      if (this.#ended) return; // The lock was given back.
      // An error ends the iteration only together with the `next` that rejects with it: the pending one, or else the
      // next call.
      this.#failed = true;
      this.#last?.catch(() => this.#end());
    });
  }

  /** The next event. */
  next(): Promise<IteratorResult<E, undefined>> {
    if (this.#ended) return Promise.resolve({ done: true, value: undefined });
    const read = this.#reader.read() as Promise<IteratorResult<E, undefined>>;
    if (this.#failed) this.#end();
    return this.#last = this.#preventCancel ? this.#orReleased(read) : read;
  }

  /**
   * Ends the iteration, and a pending `next` with it.
   *
   * @param value What the returned result is to hold.
   * @returns A result that is done. Rejects if the stream has failed.
   */
  async return(value?: unknown): Promise<IteratorResult<E, undefined>> {
    if (!this.#ended) {
      const cancelled = this.#preventCancel ? undefined : this.#reader.cancel(value);
      this.#end();
      await cancelled;
    }
    return { done: true, value: value as undefined };
  }

  /** Returns the iterator itself. */
  [Symbol.asyncIterator](): StreamIterator<E> {
    return this;
  }

  /** The same as `return`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  async #orReleased(
    read: Promise<IteratorResult<E, undefined>>,
  ): Promise<IteratorResult<E, undefined>> {
    try {
      return await read;
    } catch (error) {
      // Releasing the lock rejects a pending read.
      if (this.#ended && !this.#failed) return { done: true, value: undefined };
      throw error;
    }
  }

  #end(): void {
    this.#ended = true;
    this.#reader.releaseLock();
  }
}
