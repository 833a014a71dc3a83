import type { Cache } from "../cache/cache.js";
import { eventsOf } from "../cache/events-of.js";
import { withDeadline } from "../connection/resilience/deadline.js";
import { untilAborted } from "../core/async.js";
import { checkOptions, isFunction } from "../core/options.js";
import { acl } from "./checks/acl.js";
import type { Check } from "./checks/check.js";
import { connection, encryption, protocol, refusals } from "./checks/connection.js";
import { database, prefix, settings } from "./checks/database.js";
import { type Diagnosis, duration, Skip } from "./checks/finding.js";
import { clock, eventLoop, latency } from "./checks/latency.js";
import { clients, timeouts } from "./checks/limits.js";
import { eviction, memory } from "./checks/memory.js";
import { scripts, tracking } from "./checks/near.js";
import { persistence, replication } from "./checks/persistence.js";
import { role, topology, version } from "./checks/server.js";
import { Subject } from "./checks/subject.js";
import type { Finding } from "./port.js";

/** Options of `diagnose`. */
export interface DiagnoseOptions {
  /** Called with each finding as soon as it is known, in the order of the checks. @default none */
  readonly onFinding?: ((finding: Finding) => void) | undefined;
  /** Ends the work, with the signal's reason. @default none */
  readonly signal?: AbortSignal | undefined;
}

/** All checks, from what breaks everything to what is good to know. */
export const CHECKS: readonly Check[] = [
  connection,
  protocol,
  topology,
  role,
  refusals,
  version,
  acl,
  scripts,
  eviction,
  memory,
  persistence,
  replication,
  tracking,
  latency,
  eventLoop,
  clock,
  clients,
  timeouts,
  database,
  prefix,
  encryption,
  settings,
];

const LEVELS: readonly Finding["level"][] = ["problem", "warning", "note", "skipped", "ok"];
/** The shortest and the longest time that one check may take. */
const SHORTEST_MS = 3_000;
const LONGEST_MS = 15_000;

/**
 * Looks at a cache and its server as the application uses them: over the cache's own connection, and as its user. It only reads.
 * Each check has a deadline, and one that fails is a finding of the level `"skipped"`.
 * @returns all findings: problems first, then warnings, notes, what was skipped and what is fine
 * @throws {ConfigurationError} on wrong options @throws TypeError when it is no cache
 */
export async function diagnose(cache: Cache, options: DiagnoseOptions = {}): Promise<Finding[]> {
  eventsOf(cache, "diagnose");
  checkOptions<DiagnoseOptions>("diagnose", options, {
    onFinding: isFunction,
    signal: (value) => (value instanceof AbortSignal ? undefined : "an AbortSignal"),
  });
  const { onFinding, signal } = options;
  const subject = new Subject(cache);
  const { connectTimeoutMs = 0 } = subject.settings.about ?? {};
  const neededMs = Math.max(5 * subject.commandTimeoutMs, 2 * connectTimeoutMs + subject.commandTimeoutMs);
  const limitMs = Math.min(LONGEST_MS, Math.max(SHORTEST_MS, neededMs));
  const findings: Finding[] = [];
  for (const check of CHECKS) {
    signal?.throwIfAborted();
    const examined = examine(check, subject, limitMs);
    for (const diagnosis of await (signal ? untilAborted(examined, signal) : examined)) {
      const finding = toFinding(check, diagnosis);
      findings.push(finding);
      onFinding?.(finding);
    }
  }
  return findings.sort((one, other) => LEVELS.indexOf(one.level) - LEVELS.indexOf(other.level));
}

/** What a check finds, or why it finds nothing. Never rejects. */
async function examine(check: Check, subject: Subject, limitMs: number): Promise<readonly Diagnosis[]> {
  const { unreachable, settings } = subject;
  if (check.needsServer && settings.place.scheme === "memory") {
    return [skipped("entries are kept in this process", "")];
  }
  if (check.needsServer && unreachable !== undefined) return [skipped(unreachable, "")];
  const late = (): Error => new Skip(`no result within ${duration(limitMs)}`);
  try {
    return await withDeadline((async () => check.run(subject))(), limitMs, late);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return [skipped(reason, error instanceof Skip ? error.remedy : "")];
  }
}

function skipped(reason: string, remedy: string): Diagnosis {
  return { level: "skipped", found: `not checked: ${reason}`, meaning: "", remedy };
}

function toFinding({ name }: Check, { part, level, found, meaning, remedy }: Diagnosis): Finding {
  return { check: part === undefined ? name : `${name}.${part}`, level, found, meaning, remedy };
}
