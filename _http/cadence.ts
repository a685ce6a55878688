/** How often a server asks to be polled, in the headers of successful answers. */
import { type HeaderOf, usedUpFor } from "./rate_limit.ts";

/** A kind of response header that tells how often to poll. */
export type CadenceField = "cache-control" | "rate-limit" | "x-poll-interval";

/** Which response headers may delay the next poll. */
export interface CadenceOptions {
  /**
   * Which headers of a successful answer delay the next poll. The wait is never shorter than the interval. It is
   * never longer than the watch's `maxBackoff`, or one day where that is not set.
   *
   * - `"x-poll-interval"`: seconds between two polls, as GitHub asks for.
   * - `"rate-limit"`: `RateLimit`, `RateLimit-Reset`, `X-RateLimit-Reset` and similar headers, when no request is
   *   left.
   * - `"cache-control"`: `max-age` minus `Age`, unless there is a `no-cache` or `no-store`. Not in the default, as
   *   many servers send it only for browsers.
   *
   * @default {["x-poll-interval", "rate-limit"]}
   */
  cadence?: readonly CadenceField[];
}

const FIELDS: readonly CadenceField[] = ["cache-control", "rate-limit", "x-poll-interval"];
const DEFAULT: readonly CadenceField[] = ["x-poll-interval", "rate-limit"];

/** Checks the option. */
export function checkCadence(cadence: readonly CadenceField[] = DEFAULT): readonly CadenceField[] {
  if (Array.isArray(cadence) && cadence.every((field) => FIELDS.includes(field))) return cadence;
  throw new TypeError(
    `Cannot poll as 'cadence' must be an array of ${FIELDS.map((f) => `"${f}"`).join(", ")}`,
  );
}

/**
 * Milliseconds for which a server asks not to be polled; undefined if it does not ask, or what it sent cannot be
 * parsed.
 */
export function cadenceOf(
  cadence: readonly CadenceField[],
  status: number,
  header: HeaderOf,
): number | undefined {
  let longest = 0;
  for (const field of cadence) longest = Math.max(longest, askedBy(field, status, header) ?? 0);
  return longest > 0 ? longest : undefined;
}

function askedBy(field: CadenceField, status: number, header: HeaderOf): number | undefined {
  if (field === "rate-limit") return usedUpFor(status, header);
  const seconds = field === "cache-control"
    ? freshFor(header)
    : wholeNumber(header("x-poll-interval"));
  return seconds === undefined ? undefined : seconds * 1_000;
}

/** Seconds for which the answer is fresh. */
function freshFor(header: HeaderOf): number | undefined {
  const directives = (header("cache-control") ?? "").toLowerCase().split(",").map((d) => d.trim());
  if (directives.some((directive) => /^no-(?:cache|store)\b/.test(directive))) return undefined;
  const ages = directives.filter((directive) => directive.startsWith("max-age"));
  // More than one is an error (RFC 9111, section 4.2.1).
  const age = ages.length === 1
    ? wholeNumber(ages[0]?.match(/^max-age="?(\d+)"?$/)?.[1])
    : undefined;
  return age === undefined ? undefined : age - (wholeNumber(header("age")) ?? 0);
}

function wholeNumber(text: string | null | undefined): number | undefined {
  return /^\d{1,9}$/.test(text?.trim() ?? "") ? Number(text) : undefined;
}
