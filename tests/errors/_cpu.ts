// The time that this process spent at work: however busy the machine is, it is the same.
import process from "node:process";

/** Milliseconds of processor time since this was called. */
export function workSince(): () => number {
  const before = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1_000;
  };
}

/** Milliseconds of processor time that something takes. */
export function workOf(act: () => unknown): number {
  const work = workSince();
  act();
  return work();
}
