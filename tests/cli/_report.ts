// A report that keeps what it is told, and tells who waits for it.
import type { Done, Report } from "../../_cli/report.ts";
import type { ExternalEvent } from "../../_diff/source.ts";
import type { ExternalError } from "../../_errors/external_error.ts";
import type { FailureInfo } from "../../_watch/options.ts";

export interface Recorded {
  readonly report: Report;
  readonly events: { source: string; event: ExternalEvent<unknown>; done: Done }[];
  readonly unchanged: string[];
  readonly failures: { source: string; error: ExternalError; info: FailureInfo | undefined }[];
  readonly recovered: string[];
  readonly notes: string[];
  /** Resolves once the condition holds, which is looked at whenever something is told. */
  until(condition: () => boolean): Promise<void>;
}

export function recordingReport(): Recorded {
  const waiting = new Set<() => void>();
  const told = () => {
    for (const look of waiting) look();
  };
  const recorded: Omit<Recorded, "report"> = {
    events: [],
    unchanged: [],
    failures: [],
    recovered: [],
    notes: [],
    until: (condition) =>
      new Promise((resolve) => {
        const look = () => {
          if (!condition()) return;
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        look();
      }),
  };
  const report: Report = {
    event(source, event, done) {
      recorded.events.push({ source, event, done });
      told();
      return Promise.resolve();
    },
    unchanged(source) {
      recorded.unchanged.push(source);
      told();
      return Promise.resolve();
    },
    failure(source, error, info) {
      recorded.failures.push({ source, error, info });
      told();
    },
    recovered(source) {
      recorded.recovered.push(source);
      told();
    },
    note(text) {
      recorded.notes.push(text);
      told();
    },
  };
  return { report, ...recorded };
}
