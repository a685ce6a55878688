/** Walks a tree of folders in the order of the keys, reading ahead, and hands out pages. */
import { orAborted } from "../_bounds/abort.ts";
import type { ObjectMeta } from "../_diff/object_meta.ts";

const PAGE = 1_000;
/** How many steps ahead are searched for tasks to begin. The results of these wait in memory. */
const STEPS_AHEAD = 32;

/** Reads a part of the tree, and gives what it holds, in order. */
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
  const begin = () => {
    if (inner.signal.aborted) return;
    beginFirst(
      stack,
      { tasks: ahead, steps: STEPS_AHEAD },
      (task) => task.begin(inner.signal, begin),
    );
  };
  let page: ObjectMeta[] = [];
  try {
    for (let next = stack.at(-1); next !== undefined; next = stack.at(-1)) {
      if (next.objects === undefined) {
        begin();
        const steps = next.steps ?? await orAborted(next.begin(inner.signal, begin), inner.signal);
        stack.pop();
        for (const step of steps) stack.push(step);
        continue;
      }
      stack.pop();
      for (const object of next.objects) {
        page.push(object);
        if (page.length < PAGE) continue;
        yield page;
        signal?.throwIfAborted();
        page = [];
      }
    }
    if (page.length > 0) yield page;
  } finally {
    signal?.removeEventListener("abort", onAbort);
    inner.abort();
  }
}

/** A step, and its result once it has run. */
class Pending {
  readonly objects: readonly ObjectMeta[] | undefined;
  /** The steps that a task gave, the next one last. Undefined until it is done. */
  steps: readonly Pending[] | undefined;
  readonly #task: Task | undefined;
  #running: Promise<readonly Pending[]> | undefined;

  constructor(step: Step) {
    if (typeof step === "function") this.#task = step;
    else this.objects = step;
  }

  /** Runs the task, unless it was begun before. `onDone` is called when it is done. */
  begin(signal: AbortSignal, onDone: () => void): Promise<readonly Pending[]> {
    if (this.#running === undefined) {
      this.#running = this.#run(signal, onDone);
      this.#running.catch(() => {}); // It is awaited later, or not at all if the walk ends before.
    }
    return this.#running;
  }

  async #run(signal: AbortSignal, onDone: () => void): Promise<readonly Pending[]> {
    const steps = await this.#task?.(signal) ?? [];
    this.steps = steps.map((step) => new Pending(step)).reverse();
    onDone();
    return this.steps;
  }
}

/** How many tasks may run, and how many steps may be looked at. */
interface Room {
  tasks: number;
  steps: number;
}

/**
 * Begins tasks in the order in which their results are needed. The steps that a task gave count as soon as they are
 * known, not when their turn comes: otherwise many small folders would be read one after the other.
 */
function beginFirst(stack: readonly Pending[], room: Room, begin: (task: Pending) => void): void {
  for (let i = stack.length - 1; i >= 0 && room.tasks > 0 && room.steps > 0; i--) {
    const step = stack[i] as Pending;
    room.steps--;
    if (step.steps !== undefined) {
      beginFirst(step.steps, room, begin);
    } else if (step.objects === undefined) {
      room.tasks--;
      begin(step);
    }
  }
}

/** Whether a folder, with its final slash, can hold a key with this prefix. */
export function mayHold(folder: string, prefix: string): boolean {
  return folder.startsWith(prefix) || prefix.startsWith(folder);
}
