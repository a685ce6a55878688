/** When an answer says to ask again: `Retry-After` and the headers of rate limits, parsed strictly. */
import { parseHttpDate, parseRetryAfter } from "./http_date.ts";

/** Gives a header of an answer by its lower-case name. */
export type HeaderOf = (name: string) => string | null | undefined;

/** How long a server asks to wait. */
export interface AskedWait {
  /** Milliseconds from now, above zero. */
  readonly retryAfter?: number;
  /** The text for the error, if the answer reports a rate limit: "its rate limit is used up, and resets in 30 s". */
  readonly rateLimit?: string;
}

/** A quota that is used up, and the milliseconds until it resets, if known. */
interface UsedUp {
  readonly wait: number | undefined;
}

/** The longest wait a reset can mean, in seconds: a larger number is a time since the epoch. */
const YEAR = 366 * 24 * 3600;
/** From here on a number is a time in milliseconds: in seconds it would be the year 5138. */
const FIRST_MILLISECONDS = 1e11;
/** Longer headers are ignored. */
const LONGEST_FIELD = 1_000;

/** The headers of a quota that is given in two of them. */
interface Family {
  readonly remaining: string;
  readonly reset: string;
  readonly resetAfter: string;
}

const FAMILIES: readonly Family[] = ["ratelimit", "x-ratelimit", "x-rate-limit"].map((name) => ({
  remaining: `${name}-remaining`,
  reset: `${name}-reset`,
  resetAfter: `${name}-reset-after`,
}));

/**
 * When an unsuccessful answer says to ask again. Anything that cannot be parsed is ignored.
 *
 * - `Retry-After`, in seconds or as a date, takes precedence.
 * - `RateLimit-Remaining` and `RateLimit-Reset`, also as `X-RateLimit-…` and `X-Rate-Limit-…`: the reset counts if
 *   nothing remains. It is in seconds from now, or a time in seconds or milliseconds since the epoch, whichever
 *   fits its size.
 * - `RateLimit: "default";r=0;t=30`, and the older `RateLimit: limit=10, remaining=0, reset=30`.
 *
 * A 429 is a rate limit whatever its headers say, and so is a 403 that names a time to wait (GitHub).
 *
 * @param status The status of the answer, where it is known.
 * @param header Reads a header of the answer.
 */
export function askedWait(status: number | undefined, header: HeaderOf): AskedWait {
  const given = parseRetryAfter({ get: (name) => header(name) ?? null });
  const usedUp = quotaOf(status, header);
  const retryAfter = given ?? usedUp?.wait;
  if (usedUp === undefined && status !== 429 && !(status === 403 && given !== undefined)) {
    return retryAfter === undefined ? {} : { retryAfter };
  }
  const rateLimit = retryAfter === undefined
    ? "its rate limit is used up: poll less often"
    : `its rate limit is used up, and resets in ${Math.ceil(retryAfter / 1000)} s`;
  return retryAfter === undefined ? { rateLimit } : { rateLimit, retryAfter };
}

/** Milliseconds until a used-up quota resets; undefined if none is used up, or its reset is not known. */
export function usedUpFor(status: number, header: HeaderOf): number | undefined {
  return quotaOf(status, header)?.wait;
}

/** The quota that is used up, if there is one; of several the one that resets last. */
function quotaOf(status: number | undefined, header: HeaderOf): UsedUp | undefined {
  // Read if it is needed: this runs for every answer, and few have a quota.
  const now = () => parseHttpDate(header("date") ?? null) ?? Date.now();
  const found = listOf(header("ratelimit"), now);
  for (const family of FAMILIES) {
    const quota = pairOf(status, header, family, now);
    if (quota !== undefined) found.push(quota);
  }
  if (found.length === 0) return undefined;
  const waits = found.map(({ wait }) => wait).filter((wait) => wait !== undefined);
  return { wait: waits.length === 0 ? undefined : Math.max(...waits) };
}

/** A quota that is given in two headers. */
function pairOf(
  status: number | undefined,
  header: HeaderOf,
  family: Family,
  now: () => number,
): UsedUp | undefined {
  const remaining = header(family.remaining)?.trim();
  // A 429 without a remaining count means that nothing remains.
  if (!isNothing(remaining) && (status !== 429 || remaining !== undefined)) return undefined;
  const wait = waitOf(header(family.reset), now) ?? waitOf(header(family.resetAfter), now);
  return remaining === undefined && wait === undefined ? undefined : { wait };
}

/** The used-up quotas in one structured field (RFC 9651); none if it is not well-formed. */
function listOf(field: string | null | undefined, now: () => number): UsedUp[] {
  if (!field || field.length > LONGEST_FIELD) return [];
  const quotas: UsedUp[] = [];
  const part =
    /\s*(?:("[^"\\]*"|[A-Za-z*][\w.:*\/-]*)(?:=(\d+))?)((?:\s*;\s*[a-z*][\w.*-]*(?:=(?:\d+(?:\.\d+)?|"[^"\\]*"|:[\w+\/=]*:|[A-Za-z*][\w.:*\/-]*))?)*)\s*(,|$)/y;
  const dictionary = new Map<string, string>();
  for (let separator = ","; separator !== "";) {
    const found = part.exec(field);
    if (found === null) return [];
    const [, name = "", value, parameters = ""] = found;
    separator = found[4] ?? "";
    if (value !== undefined) dictionary.set(name, value);
    else if (isNothing(parameterOf(parameters, "r"))) {
      quotas.push({ wait: waitOf(parameterOf(parameters, "t"), now) });
    }
  }
  if (isNothing(dictionary.get("remaining"))) {
    quotas.push({ wait: waitOf(dictionary.get("reset"), now) });
  }
  return quotas;
}

function parameterOf(parameters: string, name: string): string | undefined {
  for (const parameter of parameters.split(";")) {
    const [key = "", value] = parameter.trim().split("=");
    if (key === name) return value;
  }
  return undefined;
}

function isNothing(remaining: string | undefined): boolean {
  return remaining !== undefined && /^0+(?:\.0+)?$/.test(remaining);
}

/** Milliseconds from now until a reset, or undefined if that is past, more than a year away or not a number. */
function waitOf(reset: string | null | undefined, now: () => number): number | undefined {
  const text = reset?.trim() ?? "";
  if (!/^\d{1,15}(?:\.\d{1,9})?$/.test(text)) return undefined;
  const value = Number(text);
  const wait = value >= FIRST_MILLISECONDS
    ? value - now()
    : value > YEAR
    ? value * 1000 - now()
    : value * 1000;
  return wait > 0 && wait <= YEAR * 1000 ? Math.ceil(wait) : undefined;
}
