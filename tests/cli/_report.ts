// A report that keeps what it is told.
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
}

export function recordingReport(): Recorded {
  const told: Omit<Recorded, "report"> = {
    ...{ events: [], unchanged: [], failures: [], recovered: [], notes: [] },
  };
  const report: Report = {
    event(source, event, done) {
      told.events.push({ source, event, done });
      return Promise.resolve();
    },
    unchanged(source) {
      told.unchanged.push(source);
      return Promise.resolve();
    },
    failure(source, error, info) {
      told.failures.push({ source, error, info });
    },
    recovered(source) {
      told.recovered.push(source);
    },
    note(text) {
      told.notes.push(text);
    },
  };
  return { report, ...told };
}
