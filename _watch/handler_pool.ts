/**
 * Runs handlers concurrently. It limits how many run at once and how long each takes, and gives each a signal of its
 * own. The supply decides what is handed out, and of how many sources.
 */
import { isPromiseLike } from "../_bounds/user_callback.ts";
import { startTimer } from "../_bounds/timer.ts";
import { ExternalError } from "../_errors/external_error.ts";
import type { HandleContext, Handler } from "./handle_options.ts";

/** The failure of a handler: what it threw. */
export interface Failed {
  readonly thrown: unknown;
}

/** Where the events for the handlers come from. `H` is what is handed out. */
export interface HandlingSupply<H> {
  /**
   * What to hand out now. Undefined if there is nothing, or if it has to wait: `fill` is to be called once there is
   * something.
   */
  take(): H | undefined;
  /** Called when a handler has ended. */
  settle(handout: H, failed?: Failed): void;
  /** Called only after `settle`, if more handlers may run but `take` has nothing more for now. */
  hasRoom(): void;
}

/** How many handlers may run at once, and for how long. */
export interface HandlingLimits {
  readonly concurrency: number;
  /** Milliseconds. */
  readonly timeout: number | undefined;
}

/** The part of a `Handling` that does not depend on the type of the events. */
export type Runner = Pick<Handling<never, never>, "hasRoom" | "isDrained" | "fill" | "abort">;

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

  /** How many handlers are running. */
  get running(): number {
    return this.#running.size;
  }

  /** Whether one more handler may run. */
  get hasRoom(): boolean {
    return this.running < this.#limits.concurrency;
  }

  /**
   * Whether all handlers have ended. A watch or a group that is closing ends only then: `close` waits for the handlers
   * under way, and `abort` does not.
   */
  get isDrained(): boolean {
    return this.running === 0;
  }

  /** Starts handlers until the limit is reached or nothing is left to hand out. */
  fill(): void {
    if (this.#filling) return;
    this.#filling = true;
    try {
      while (this.hasRoom) {
        const handout = this.#supply.take();
        if (handout === undefined) break;
        this.#start(handout);
      }
    } finally {
      this.#filling = false;
    }
  }

  /** To be called at a cancel or an abort: aborts the signals of all running handlers, and ignores their results. */
  abort(reason: unknown): void {
    const running = [...this.#running.keys()];
    this.#running.clear();
    for (const context of running) context.end(reason);
  }

  /** Does the same for some handlers. Their places are free at once. */
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
    // The handler has timed out or was dropped before.
    if (!this.#running.delete(context)) return;
    context.stopTimer?.();
    if (abortWith !== undefined) context.end(abortWith);
    this.#supply.settle(handout, failed);
    if (this.#filling) return; // The loop in `fill` goes on by itself.
    this.fill();
    if (this.hasRoom) this.#supply.hasRoom();
  }
}

/** The context of one handler. Few handlers use their signal, so it is created on first access. */
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
