import type { Cache } from "../cache/cache.js";
import { isClosed } from "../core/connection.js";
import { ConnectionError, show } from "../core/errors.js";
import type { Key } from "../core/key.js";
import { type Inspected, inspect, unknownEntry } from "./entry.js";
import { hintsFor } from "./hints.js";
import { abilities, outcomeOf, upper } from "./outcome.js";
import type { WhyReport } from "./port.js";
import { type Reading, readingOf } from "./reading.js";
import { responseOutcome } from "./response-outcome.js";
import { herdOf } from "./state.js";

/** Options of `explain`. */
export interface ExplainOptions {
  /** Tags that the entry may have, whose hashes are compared with its own. @default those that this process remembers */
  readonly tags?: readonly string[] | undefined;
}

/**
 * What `getOrSet` would do now, and why; for responses, what the HTTP cache would do with a request. Nothing is loaded and
 * nothing is changed. A store that can't be reached is an answer, too.
 * @throws {ConnectionError} when the cache was closed
 */
export async function explain(cache: Cache, key: Key, options: ExplainOptions = {}): Promise<WhyReport> {
  try {
    const inspected = await inspect(cache, key, { tags: options.tags });
    return await explained(cache, inspected);
  } catch (error) {
    if (!(error instanceof ConnectionError) || isClosed(cache.connection)) throw error;
    return unreachable(cache, key, error);
  }
}

async function explained(cache: Cache, inspected: Inspected): Promise<WhyReport> {
  const { raw, report } = inspected;
  const herd = herdOf(cache);
  const reading = readingOf(inspected, herd);
  const { hints, unwritable } = await hintsFor(cache, inspected, reading);
  const can = abilities(cache);
  const circumstances = { ...can, herd, nowMs: raw.nowMs, atMs: raw.atMs, unwritable: can.unwritable ?? unwritable };
  const response = responseOutcome(inspected);
  const { outcome, does, because, reasons } = response ?? {
    ...outcomeOf(reading, circumstances),
    because: reading.because,
  };
  return {
    storedKey: raw.storedKey,
    outcome,
    summary: `${response ? "A request" : "getOrSet"} would ${does}: ${because}`,
    get: getOutcome(cache, inspected),
    reasons: [`${upper(because)}.`, ...tagReasons(inspected, reading), ...reasons],
    hints,
    entry: report,
  };
}

function tagReasons({ report }: Inspected, reading: Reading): string[] {
  if (reading.is !== "fresh" || report.tags.length === 0) return [];
  const names = report.tags.map(({ tag, label }) => show(tag ?? label)).join(", ");
  return [`None of its tags was purged since its load: ${names}.`];
}

/** What `get` would do: it answers no stale value, and replaces nothing. */
function getOutcome({ parts }: Cache, inspected: Inspected): WhyReport["get"] {
  const reading = readingOf(inspected, undefined);
  if (reading.is === "fresh") return "hit";
  const isError = reading.is === "refused" || reading.is === "newer" || reading.is === "undecodable";
  return isError && !parts.settings.ignoreErrors ? "fail" : "miss";
}

function unreachable(cache: Cache, key: Key, error: ConnectionError): WhyReport {
  const { state } = cache.connection.status();
  const isOpen = state === "open" || state === "half-open";
  const breaker = isOpen ? ["The circuit breaker is open: calls fail at once, until a command is answered again."] : [];
  const storedKey = String(cache.makeKey(key));
  return {
    storedKey,
    outcome: "alone",
    summary: `getOrSet would call the loader and store nothing: the store can't be reached (${error.message})`,
    get: cache.parts.settings.ignoreErrors ? "miss" : "fail",
    reasons: [`The store can't be reached: ${error.message}.`, ...breaker],
    hints: ["Whether the entry is there is not known: ask again when the store can be reached."],
    entry: unknownEntry(cache, key),
  };
}
