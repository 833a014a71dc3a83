import { deltaSeconds, MAX_SECONDS } from "./cache-control.js";
import type { Timing } from "./exchange.js";
import { type Fields, fieldValue, trim } from "./fields.js";
import { parseHttpDate } from "./http-date.js";

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
