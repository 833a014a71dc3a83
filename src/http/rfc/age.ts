import { deltaSeconds, MAX_SECONDS } from "./cache-control.js";
import { type Fields, fieldValue, type Timing, trim } from "./message.js";

const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
/** The three forms of RFC 9110 §5.6.7. Matched without regard to case, as RFC 9111 §4.2 asks of caches; nothing else is forgiven. */
const FORMS = /* @__PURE__ */ (() => {
  const month = `(${MONTHS.join("|")})`;
  const time = "(\\d\\d):(\\d\\d):(\\d\\d)";
  const [day, longDay] = ["(?:mon|tue|wed|thu|fri|sat|sun)", "(?:mon|tues|wednes|thurs|fri|satur|sun)day"];
  return {
    imf: new RegExp(`^${day}, (\\d\\d) ${month} (\\d{4}) ${time} gmt$`, "i"),
    rfc850: new RegExp(`^${longDay}, (\\d\\d)-${month}-(\\d\\d) ${time} gmt$`, "i"),
    asctime: new RegExp(`^${day} ${month} ([ \\d]\\d) ${time} (\\d{4})$`, "i"),
  };
})();

const FIFTY_YEARS = 50;

/**
 * Milliseconds since the epoch, or `undefined` for anything but the three forms of an HTTP-date.
 * The name of the day must be one, but need not be the right one.
 * @param nowMs against which the two-digit year of an RFC 850 date is read
 */
export function parseHttpDate(text: string, nowMs: number): number | undefined {
  const imf = FORMS.imf.exec(text);
  if (imf) return toMs(imf[3], imf[2], imf[1], imf.slice(4));
  const rfc850 = FORMS.rfc850.exec(text);
  if (rfc850) return toMs(fullYear(Number(rfc850[3]), nowMs), rfc850[2], rfc850[1], rfc850.slice(4));
  const asctime = FORMS.asctime.exec(text);
  if (asctime) return toMs(asctime[6], asctime[1], asctime[2], asctime.slice(3, 6));
  return undefined;
}

/** The preferred form, IMF-fixdate; parts of a second are cut off. */
export function formatHttpDate(ms: number): string {
  return new Date(ms).toUTCString();
}

/** A date that seems more than 50 years ahead is in the past. RFC 9110 §5.6.7. */
function fullYear(twoDigits: number, nowMs: number): number {
  const thisYear = new Date(nowMs).getUTCFullYear();
  const year = thisYear - (thisYear % 100) + twoDigits;
  return year > thisYear + FIFTY_YEARS ? year - 100 : year;
}

type Part = string | number | undefined;

function toMs(year: Part, month: string | undefined, day: Part, time: readonly string[]): number | undefined {
  const [hours = 0, minutes = 0, seconds = 0] = time.map(Number);
  if (hours > 23 || minutes > 59 || seconds > 60) return undefined;
  const monthIndex = MONTHS.indexOf(String(month).toLowerCase());
  const date = new Date(0);
  date.setUTCFullYear(Number(year), monthIndex, Number(day));
  // A day that its month doesn't have would otherwise become one of the next month.
  if (date.getUTCMonth() !== monthIndex || date.getUTCDate() !== Number(day)) return undefined;
  // A leap second is the nearest earlier time that can be represented. RFC 9111 §4.2.
  return date.setUTCHours(hours, minutes, Math.min(seconds, 59));
}

/** When the response was made: its Date, or when it arrived where that is absent or none. RFC 9110 §6.6.1. */
export function dateMs(fields: Fields, responseTimeMs: number): number {
  return parseHttpDate(fieldValue(fields, "date") ?? "", responseTimeMs) ?? responseTimeMs;
}

/** The corrected_initial_age of RFC 9111 §4.2.3, in milliseconds: how old the response was when it arrived. */
export function initialAgeMs(fields: Fields, { requestTimeMs, responseTimeMs }: Timing): number {
  const apparentMs = Math.max(0, responseTimeMs - dateMs(fields, responseTimeMs));
  const delayMs = Math.max(0, responseTimeMs - requestTimeMs);
  return Math.max(apparentMs, ageValueMs(fields) + delayMs);
}

/** How old a response is now, in milliseconds; never negative, whatever clocks do. */
export function currentAgeMs(stored: { initialAgeMs: number; responseTimeMs: number }, nowMs: number): number {
  return stored.initialAgeMs + Math.max(0, nowMs - stored.responseTimeMs);
}

/** What to write into an Age field. */
export function ageSeconds(ageMs: number): number {
  return Math.min(Math.floor(Math.max(0, ageMs) / 1_000), MAX_SECONDS);
}

/** The first member of the Age field; one that is not a number counts as none. RFC 9111 §5.1. */
function ageValueMs(fields: Fields): number {
  const [first = ""] = (fieldValue(fields, "age") ?? "").split(",", 1);
  return (deltaSeconds(trim(first)) ?? 0) * 1_000;
}
