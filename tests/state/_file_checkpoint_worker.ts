// The program that _program.ts starts: saves, or dies in the middle of it.
import fs from "node:fs/promises";
import process from "node:process";
import { FileCheckpointStore } from "@koprs/external/checkpoints/file";

export interface FileWorkerOptions {
  readonly folder: string;
  /** Saved one after the other. */
  readonly states: readonly string[];
  /** Then one of so many bytes. */
  readonly large?: number;
  /** Dies as by `kill -9` just before this step of the last save, or just behind it: `sync 2` is the second sync. */
  readonly dieAt?: { readonly step: string; readonly behind: boolean };
  /** Stays alive when all is saved. */
  readonly stay?: boolean;
  /** Becomes this user first. */
  readonly user?: number;
  /** Waits for a line on its input before it begins. */
  readonly wait?: boolean;
  /** Then saves one state after the other until it is killed, each as long as its number tells, and says which. */
  readonly forever?: boolean;
  /** Says the number of such a state that it loaded, and how many lines of it there are. */
  readonly whole?: boolean;
}

const KEY = "the source";
const { folder, states, dieAt, stay, user, wait, large, forever, whole }: FileWorkerOptions = JSON
  .parse(
    process.argv[2] as string,
  );

/** A state of thousands of equal lines, so that a torn one shows. */
function numbered(n: number): string {
  return `${n}\n`.repeat(1_000 + n * 7_919 % 50_000);
}

let armed = false;
const counts = new Map<string, number>();

/** Dies at a step of the last save. The methods of files are the real ones, until one is not called any more. */
async function watchSteps(): Promise<void> {
  const file = await fs.open(folder, "r");
  const methods = Object.getPrototypeOf(file);
  await file.close();
  for (const name of ["writeFile", "sync"]) {
    const real = methods[name];
    methods[name] = async function (this: unknown, ...args: unknown[]) {
      const count = armed ? (counts.get(name) ?? 0) + 1 : 0;
      counts.set(name, count);
      const due = armed && dieAt?.step === `${name} ${count}`;
      if (due && !dieAt.behind) process.kill(process.pid, "SIGKILL");
      const result = await real.apply(this, args);
      if (due) process.kill(process.pid, "SIGKILL");
      return result;
    };
  }
}

if (user !== undefined) {
  process.setgid?.(user);
  process.setuid?.(user);
}
if (dieAt !== undefined) await watchSteps();
if (wait) {
  process.stdout.write("ready\n");
  await new Promise((resolve) => process.stdin.once("data", resolve));
  process.stdin.destroy();
}
const store = new FileCheckpointStore(folder);
try {
  const loaded = await store.load(KEY);
  process.stdout.write(
    `loaded ${loaded === undefined ? "" : new TextDecoder().decode(loaded).slice(0, 20)}\n`,
  );
  if (whole) {
    const lines = new TextDecoder().decode(loaded).split("\n").slice(0, -1);
    const equal = lines.every((line) => line === lines[0]);
    process.stdout.write(`whole ${lines[0]} ${equal ? lines.length : "torn"}\n`);
  }
  for (const [i, state] of states.entries()) {
    armed = i === states.length - 1;
    await store.save(KEY, new TextEncoder().encode(state));
  }
  if (large !== undefined) await store.save(KEY, new Uint8Array(large));
  process.stdout.write("saved\n");
  for (let n = 1; forever === true; n++) {
    await store.save(KEY, new TextEncoder().encode(numbered(n)));
    process.stdout.write(`number ${n}\n`);
  }
} catch (error) {
  const { name, code, message } = error as Error & { code: string };
  process.stdout.write(`failed ${name} ${code} ${message}\n`);
}
if (stay) setInterval(() => {}, 1_000);
