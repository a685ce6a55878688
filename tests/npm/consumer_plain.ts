// What a program asks of the declarations where neither the web's nor Node's types are known. Never run.
import { type ExternalEvent, watchExternal } from "@koprs/external";
import type { ExternalSource } from "@koprs/external/watcher";
import { type ObjectMeta, ObjectStorePoller } from "@koprs/external/store";
import { MemoryStore } from "@koprs/external/stores/memory";

const numbers: ExternalSource<number> = {
  name: "numbers",
  poll: () => Promise.resolve([{ type: "added", item: 1 }]),
};

export function describe(event: ExternalEvent<ObjectMeta>): string {
  return `${event.type} ${event.item.key} ${event.item.size}`;
}

export const phases: string[] = [
  watchExternal(numbers, 1_000).status.phase,
  watchExternal(new ObjectStorePoller(new MemoryStore()), { interval: 1_000 }).status.phase,
];
