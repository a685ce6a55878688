/** Walks a tree of folders in the order of the keys, reading ahead, and hands out pages. */
import { orAborted } from "./_abort.ts";
import type { ObjectMeta } from "./store.ts";

const PAGE = 1_000;

/** Reads a part of the tree: what it holds, in order. */
export type Task = (signal: AbortSignal) => Promise<readonly Step[]>;

/** Objects that are known, or a part of the tree that is still to be read. */
export type Step = readonly ObjectMeta[] | Task;

export interface WalkOptions {
  /** How many tasks run at once. */
  readonly ahead: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The objects that a task and all the tasks it leads to find, in pages. A failure of any task fails the
 * walk. Tasks under way are aborted when the walk ends early.
 */
export async function* walk(root: Task, options: WalkOptions): AsyncGenerator<ObjectMeta[], void> {
  const { ahead, signal } = options;
  signal?.throwIfAborted();
  const inner = new AbortController();
  const onAbort = () => inner.abort(signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  // The next step is the last element.
  const stack = [new Pending(root)];
  let page: ObjectMeta[] = [];
  try {
    for (;;) {
      startFirst(stack, ahead, inner.signal);
      const next = stack.pop();
      if (next === undefined) break;
      const steps = await next.steps(inner.signal);
      for (let i = steps.length - 1; i >= 0; i--) stack.push(new Pending(steps[i] as Step));
      for (let top = stack.at(-1); top?.objects !== undefined; top = stack.at(-1)) {
        stack.pop();
        for (const object of top.objects) {
          page.push(object);
          if (page.length < PAGE) continue;
          yield page;
          signal?.throwIfAborted();
          page = [];
        }
      }
    }
    if (page.length > 0) yield page;
  } finally {
    signal?.removeEventListener("abort", onAbort);
    inner.abort();
  }
}

/** A step, and what came of it if it was begun. */
class Pending {
  readonly objects: readonly ObjectMeta[] | undefined;
  readonly #task: Task | undefined;
  #running: Promise<readonly Step[]> | undefined;

  constructor(step: Step) {
    if (typeof step === "function") this.#task = step;
    else this.objects = step;
  }

  /** Begins it, unless it has begun or needs none. Returns whether it is a task. */
  start(signal: AbortSignal): boolean {
    if (this.#task === undefined) return false;
    if (this.#running === undefined) {
      this.#running = this.#task(signal);
      this.#running.catch(() => {}); // It is awaited later, or not at all if the walk ends before.
    }
    return true;
  }

  steps(signal: AbortSignal): Promise<readonly Step[]> {
    this.start(signal);
    return orAborted(this.#running ?? Promise.resolve([]), signal);
  }
}

function startFirst(stack: readonly Pending[], count: number, signal: AbortSignal): void {
  for (let i = stack.length - 1; i >= 0 && count > 0; i--) {
    if ((stack[i] as Pending).start(signal)) count--;
  }
}

/**
 * Less than, equal to or greater than 0, as the first text is before, equal to or after the second in
 * UTF-8 byte order.
 */
export function compareText(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    // UTF-16 puts the surrogates of characters beyond U+FFFF before U+E000.
    if (x !== y) return (x < 0xd800 || y < 0xd800) ? x - y : rank(x) - rank(y);
  }
  return a.length - b.length;
}

function rank(unit: number): number {
  return unit >= 0xe000 ? unit - 0x10000 : unit;
}

/** Whether a folder, with its final slash, can hold a key with this prefix. */
export function mayHold(folder: string, prefix: string): boolean {
  return folder.startsWith(prefix) || prefix.startsWith(folder);
}
