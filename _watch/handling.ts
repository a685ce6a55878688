/**
 * Runs handlers side by side: at most so many at once, each bounded in time, each with a signal of its own. What is handed out,
 * of how many sources, is for the supply to say.
 */
import { isPromiseLike } from "../_bounds/promise_like.ts";
import { startTimer } from "../_bounds/timer.ts";
import { ExternalError } from "../_errors/external_error.ts";
import type { HandleContext, Handler } from "./handle_options.ts";

/** What was thrown by a handler. */
export interface Failed {
  readonly thrown: unknown;
}

/** What a runner of handlers draws on. `H` is what is handed out. */
export interface HandlingSupply<H> {
  /** What to hand out now. Undefined if there is nothing, or if it has to wait: then `fill` is to be called once there is. */
  take(): H | undefined;
  /** A handler has ended. */
  settle(handout: H, failed?: Failed): void;
  /** Less is handed out than could be, as there is no more for now. Called behind `settle` only. */
  hasRoom(): void;
}

/** How many handlers may run at once, and for how long. */
export interface HandlingLimits {
  readonly concurrency: number;
  /** Milliseconds. */
  readonly timeout: number | undefined;
}

/** What is seen of a runner, whatever the events are. */
export type Runner = Pick<Handling<never, never>, "running" | "fill" | "abort">;

export class Handling<E, H extends { readonly event: E; readonly attempt: number }> {
  readonly #handler: Handler<E>;
  readonly #limits: HandlingLimits;
  readonly #supply: HandlingSupply<H>;
  readonly #running = new Map<Context, H>();
  #filling = false;

  constructor(handler: Handler<E>, limits: HandlingLimits, supply: HandlingSupply<H>) {
    this.#handler = handler;
    this.#limits = limits;
    this.#supply = supply;
  }

  /** Handlers under way. */
  get running(): number {
    return this.#running.size;
  }

  /** Starts as many handlers as may run at once. */
  fill(): void {
    if (this.#filling) return;
    this.#filling = true;
    try {
      while (this.#running.size < this.#limits.concurrency) {
        const handout = this.#supply.take();
        if (handout === undefined) break;
        this.#start(handout);
      }
    } finally {
      this.#filling = false;
    }
  }

  /** Ends all that is under way: signals abort, and what becomes of the handlers is nobody's concern any more. */
  abort(reason: unknown): void {
    const running = [...this.#running.keys()];
    this.#running.clear();
    for (const context of running) context.end(reason);
  }

  /** The same for some of it: their places are free at once. */
  drop(which: (handout: H) => boolean, reason: unknown): void {
    for (const [context, handout] of [...this.#running]) {
      if (!which(handout) || !this.#running.delete(context)) continue;
      context.end(reason);
    }
  }

  #start(handout: H): void {
    const context = new Context(handout.attempt);
    this.#running.set(context, handout);
    const { timeout } = this.#limits;
    try {
      const result = this.#handler(handout.event, context);
      if (!isPromiseLike(result)) return this.#settle(handout, context);
      if (timeout !== undefined && this.#running.has(context)) {
        context.stopTimer = startTimer(timeout, () => this.#timedOut(handout, context, timeout));
      }
      result.then(
        () => this.#settle(handout, context),
        (thrown) => this.#settle(handout, context, { thrown }),
      );
    } catch (thrown) {
      this.#settle(handout, context, { thrown });
    }
  }

  #timedOut(handout: H, context: Context, timeout: number): void {
    const thrown = new ExternalError("timeout", `it took longer than ${timeout} ms`);
    this.#settle(handout, context, { thrown }, thrown);
  }

  #settle(handout: H, context: Context, failed?: Failed, abortWith?: unknown): void {
    // It has timed out before, or all has ended.
    if (!this.#running.delete(context)) return;
    context.stopTimer?.();
    if (abortWith !== undefined) context.end(abortWith);
    this.#supply.settle(handout, failed);
    if (this.#filling) return; // The loop goes on by itself.
    this.fill();
    if (this.#running.size < this.#limits.concurrency) this.#supply.hasRoom();
  }
}

/** The context of one handler. Few handlers look at their signal, so it is made when it is asked for. */
class Context implements HandleContext {
  readonly attempt: number;
  stopTimer: (() => void) | undefined;
  #controller: AbortController | undefined;
  #ended: { readonly reason: unknown } | undefined;

  constructor(attempt: number) {
    this.attempt = attempt;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#ended !== undefined) this.#controller.abort(this.#ended.reason);
    }
    return this.#controller.signal;
  }

  end(reason: unknown): void {
    this.stopTimer?.();
    this.#ended = { reason };
    this.#controller?.abort(reason);
  }
}
