/** The checkpoints of one resource: tied to what it watches, and written only once the resource has its finalizer. */
import type { CheckpointStore } from "@koprs/external";

const MARK_BYTES = 32;

/**
 * A store for the state of one source. Each state begins with a digest of the subject. A state of another subject,
 * such as from before the URL was changed, or of a deleted resource with the same name, is treated as missing.
 *
 * @param store Where states are kept.
 * @param subject Says what is watched.
 * @param prepare Called before each claim, so before anything is saved.
 */
export function checkpointsOf(
  store: CheckpointStore,
  subject: string,
  prepare: () => Promise<void>,
): CheckpointStore {
  const mark = digestOf(subject);
  const ours = async (state: Uint8Array | undefined) => {
    if (state === undefined) return undefined;
    const expected = await mark;
    const isOurs = expected.every((byte, i) => state[i] === byte);
    return isOurs ? state.slice(MARK_BYTES) : undefined;
  };
  return {
    load: async (key) => await ours(await store.load(key)),
    async save(key, state) {
      const marked = new Uint8Array(MARK_BYTES + state.length);
      marked.set(await mark);
      marked.set(state, MARK_BYTES);
      await store.save(key, marked);
    },
    async claim(key) {
      await prepare();
      return await ours(await (store.claim ?? store.load).call(store, key));
    },
    delete: async (key) => await store.delete?.(key),
    locate: (key) => store.locate?.(key) ?? key,
  };
}

async function digestOf(text: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
}
