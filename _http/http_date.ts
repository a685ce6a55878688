/** Dates of HTTP headers, read strictly: `Date.parse` takes "-1" for the year 2001. */

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

// The three forms a recipient must read (RFC 9110, section 5.6.7): today's, and the two obsolete ones.
const FORMS = [
  /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (?<day>\d{2}) (?<month>[A-Z][a-z]{2}) (?<year>\d{4}) (?<time>\d{2}:\d{2}:\d{2}) GMT$/,
  /^(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, (?<day>\d{2})-(?<month>[A-Z][a-z]{2})-(?<year>\d{2}) (?<time>\d{2}:\d{2}:\d{2}) GMT$/,
  /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) (?<month>[A-Z][a-z]{2}) (?<day>[ \d]\d) (?<time>\d{2}:\d{2}:\d{2}) (?<year>\d{4})$/,
];

/** Milliseconds since the epoch, or undefined for anything that is not an HTTP-date. */
export function parseHttpDate(text: string | null): number | undefined {
  if (text === null) return undefined;
  for (const form of FORMS) {
    const { day, month, year, time } = form.exec(text)?.groups ?? {};
    if (day === undefined || month === undefined || year === undefined || time === undefined) {
      continue;
    }
    const [hours = 0, minutes = 0, seconds = 0] = time.split(":").map(Number);
    const date = Date.UTC(
      fullYear(year),
      MONTHS.indexOf(month),
      Number(day),
      hours,
      minutes,
      seconds,
    );
    // Date.UTC turns 31 February into a day in March, so only a date that reads back the same is valid. A leap
    // second may roll over.
    const back = new Date(date - (seconds === 60 ? 1000 : 0));
    const exact = back.getUTCFullYear() === fullYear(year) && back.getUTCDate() === Number(day) &&
      MONTHS[back.getUTCMonth()] === month &&
      back.getUTCHours() === hours && back.getUTCMinutes() === minutes && seconds <= 60;
    return exact ? date : undefined;
  }
  return undefined;
}

/**
 * How long `Retry-After` asks to wait, in milliseconds from now; undefined for `0`, a date in the past and an
 * invalid value. A date is compared with the answer's own `Date`, so that the two clocks need not agree.
 */
export function parseRetryAfter(headers: Pick<Headers, "get">): number | undefined {
  const text = headers.get("retry-after");
  if (text === null) return undefined;
  const now = parseHttpDate(headers.get("date")) ?? Date.now();
  const wait = /^\d+$/.test(text) ? Number(text) * 1000 : (parseHttpDate(text) ?? now) - now;
  return wait > 0 ? wait : undefined;
}

// A two-digit year that seems more than 50 years ahead is of the past century.
function fullYear(year: string): number {
  if (year.length === 4) return Number(year);
  const century = Math.floor(new Date().getUTCFullYear() / 100) * 100;
  const full = century + Number(year);
  return full > new Date().getUTCFullYear() + 50 ? full - 100 : full;
}
