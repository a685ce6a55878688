// How many listeners a signal has, which not every runtime tells.

/** Counts from now on. */
export function countListeners(signal: AbortSignal): () => number {
  const listeners = new Set<unknown>();
  const { addEventListener, removeEventListener } = signal;
  signal.addEventListener = (...args: [string, EventListener]) => {
    listeners.add(args[1]);
    addEventListener.apply(signal, args);
  };
  signal.removeEventListener = (...args: [string, EventListener]) => {
    listeners.delete(args[1]);
    removeEventListener.apply(signal, args);
  };
  return () => listeners.size;
}

/** A signal that counts its listeners, and what aborts it. */
export function countedSignal(): {
  readonly signal: AbortSignal;
  readonly abort: (reason?: unknown) => void;
  readonly listeners: () => number;
} {
  const aborter = new AbortController();
  const { signal } = aborter;
  return { signal, abort: (reason) => aborter.abort(reason), listeners: countListeners(signal) };
}
