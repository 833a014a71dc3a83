import type { Cache } from "../cache/cache.js";
import type { Key } from "../core/key.js";
import { type Inspected, inspect } from "./entry.js";
import { hintsFor } from "./hints.js";
import { abilities, outcomeOf, upper } from "./outcome.js";
import type { WhyReport } from "./port.js";
import { readingOf } from "./reading.js";
import { herdOf } from "./state.js";

/** Options of `explain`. */
export interface ExplainOptions {
  /** Tags that the entry may have, whose hashes are compared with its own. @default those that this process remembers */
  readonly tags?: readonly string[] | undefined;
}

/**
 * What `getOrSet` would do now, and why. Nothing is loaded and nothing is changed.
 * @throws {ConnectionError}
 */
export async function explain(cache: Cache, key: Key, options: ExplainOptions = {}): Promise<WhyReport> {
  const inspected = await inspect(cache, key, { tags: options.tags });
  const herd = herdOf(cache);
  const { raw, report } = inspected;
  const reading = readingOf(inspected, herd);
  const { hints, facts, unwritable } = await hintsFor(cache, inspected, reading);
  const can = abilities(cache);
  const circumstances = { ...can, herd, nowMs: raw.nowMs, atMs: raw.atMs, unwritable: can.unwritable ?? unwritable };
  const outcome = outcomeOf(reading, circumstances);
  return {
    storedKey: raw.storedKey,
    outcome: outcome.outcome,
    summary: `getOrSet would ${outcome.does}: ${reading.because}`,
    get: getOutcome(cache, inspected),
    reasons: [`${upper(reading.because)}.`, ...outcome.reasons, ...facts],
    hints,
    entry: report,
  };
}

/** What `get` would do: it answers no stale value, and replaces nothing. */
function getOutcome({ parts }: Cache, inspected: Inspected): WhyReport["get"] {
  const reading = readingOf(inspected, undefined);
  if (reading.is === "fresh") return "hit";
  const isError = reading.is === "refused" || reading.is === "newer" || reading.is === "undecodable";
  return isError && !parts.settings.ignoreErrors ? "fail" : "miss";
}
