/** Metrics of groups as a whole, through the OpenTelemetry API. Where no SDK is registered they cost nearly nothing. */
import { type Histogram, type MeterProvider, metrics } from "@opentelemetry/api";
import { VERSION } from "../_watch/version.ts";

const SCOPE = "@koprs/external";
const GROUP = "koprs.external.group";

/** What the gauges read from a group whenever a metric reader collects. */
export interface Gauges {
  /** Sources in the group. */
  sources(): number;
  /** Polls under way. */
  polls(): number;
  /** Sources with events that wait for their turn. */
  deliveries(): number;
}

interface Observed {
  readonly name: string;
  readonly gauges: Gauges;
}

const live = new Set<Observed>();

export class GroupTelemetry {
  readonly #observed: Observed;

  constructor(name: string, gauges: Gauges) {
    this.#observed = { name, gauges };
  }

  /** Records that a poll began `lag` milliseconds after it was due. */
  begun(lag: number): void {
    // Here and not in the constructor: otherwise the gauges would keep a group in memory that nobody reads.
    live.add(this.#observed);
    lagOf().record(lag / 1000, { [GROUP]: this.#observed.name });
  }

  /** Takes the group out of what the gauges report. */
  end(): void {
    live.delete(this.#observed);
  }
}

let current: { readonly provider: MeterProvider; readonly lag: Histogram } | undefined;

// Looked up by provider: an SDK may be registered after the first group was made.
function lagOf(): Histogram {
  const provider = metrics.getMeterProvider();
  if (current?.provider === provider) return current.lag;
  const meter = provider.getMeter(SCOPE, VERSION);
  const gauge = (name: keyof Gauges, description: string, unit: string) => {
    meter.createObservableGauge(`${GROUP}.${name}`, { description, unit }).addCallback((result) => {
      for (const { name: group, gauges } of live) {
        result.observe(gauges[name](), { [GROUP]: group });
      }
    });
  };
  gauge("sources", "Sources in the group", "{source}");
  gauge("polls", "Polls under way", "{poll}");
  gauge("deliveries", "Sources whose events wait to be read", "{source}");
  const lag = meter.createHistogram(`${GROUP}.lag`, {
    description: "How long after it was due a poll began",
    unit: "s",
    advice: { explicitBucketBoundaries: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60] },
  });
  current = { provider, lag };
  return lag;
}
