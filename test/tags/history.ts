/** A value with the tags by which it ends. Namespaces that it is in are among them. */
export interface Value {
  readonly id: string;
  readonly tags: readonly string[];
}

/** What a process did, by the clock that all processes of the machine read alike. */
export type Event =
  /** A loader was called. `isMissing`: the store had answered, and had no value, not even a stale one. */
  | ({ readonly what: "load"; readonly id: string; readonly key: string; readonly isMissing: boolean } & Span)
  | ({ readonly what: "set"; readonly id: string; readonly key: string } & Span)
  | ({ readonly what: "purge"; readonly purge: Purge } & Span)
  | ({ readonly what: "read" } & Read);

interface Span {
  readonly startMs: number;
  readonly endMs: number;
}

export interface Purge {
  readonly tags: readonly string[];
  readonly soft: boolean;
  readonly match: "any" | "all";
  /** Absent where it ends both. */
  readonly only?: "data" | "http" | undefined;
}

export interface Read extends Span {
  /** `"stored"`: answers no stale value. `"load"`: answers one while it is loaded again. `"http"`: a response. */
  readonly method: "stored" | "load" | "http";
  readonly key: string;
  /** `null` when there was none, and the store had not failed. */
  readonly found: Value | null;
  /** This call has loaded the value. */
  readonly isLoaded: boolean;
}

/** The log was deleted, alone or with all entries. */
export interface Loss extends Span {
  readonly isFlush: boolean;
  readonly hadLog: boolean;
}

/** What the processes of a round did, by the name of each, and what happened to them. */
export interface History {
  /** How long a process may not hear of what others have done. */
  readonly lagMs: number;
  readonly events: readonly (readonly [process: string, event: Event])[];
  readonly losses: readonly Loss[];
  /** Failovers: what is written meanwhile may be lost. */
  readonly failovers: readonly Span[];
}

/** Entries with this prefix have it as their tag, which is never purged hard. */
export const KEPT = "kept";

export function eventsOf<W extends Event["what"]>(
  { events }: History,
  what: W,
): [string, Extract<Event, { what: W }>][] {
  return events.flatMap(([process, event]) => (isOf(event, what) ? [[process, event]] : []));
}

function isOf<W extends Event["what"]>(event: Event, what: W): event is Extract<Event, { what: W }> {
  return event.what === what;
}

/**
 * When the call began that made each value, and when its load did, or at the latest: for a value that is written by `set`, when
 * that had ended. The log was read in between.
 */
function beginnings(history: History): Map<string, { readonly callMs: number; readonly bornMs: number }> {
  return new Map(
    [...eventsOf(history, "load"), ...eventsOf(history, "set")].map(([, { id, startMs, endMs }]) => [
      id,
      { callMs: startMs, bornMs: endMs },
    ]),
  );
}

function applies({ tags, match, only }: Purge, method: Read["method"], to: readonly string[]): boolean {
  if (only !== undefined && (only === "http") !== (method === "http")) return false;
  return match === "all" ? tags.every((tag) => to.includes(tag)) : tags.some((tag) => to.includes(tag));
}

const overlap = (one: Span, other: Span): boolean => one.startMs <= other.endMs && one.endMs >= other.startMs;

/** Reads that were answered with a value that had been purged, or was older than a log that was lost. */
export function wronglyAnswered(history: History): string[] {
  const { losses, failovers } = history;
  const began = beginnings(history);
  const reads = eventsOf(history, "read");
  // A failover may lose a purge that has just ended, as it may lose a delete.
  const purges = eventsOf(history, "purge").filter(([, one]) => !failovers.some((failover) => overlap(failover, one)));
  return reads.flatMap(([process, read]) => {
    const { found, key, method, startMs, endMs } = read;
    const birth = found ? began.get(found.id) : undefined;
    if (!found || !birth) return [];
    const { callMs, bornMs } = birth;
    const lagMs = (other?: string): number => (other === process ? 0 : history.lagMs);
    const lost = losses.filter((loss) => loss.hadLog && loss.startMs < endMs);
    // Its stamp may be of a log that was lost: then it counts as softly purged.
    const mayBeStale =
      lost.some((loss) => loss.endMs + lagMs() > callMs) ||
      failovers.some((failover) => failover.endMs + lagMs() > callMs && failover.startMs < endMs);
    const purge = purges.find(([by, one]) => {
      if (one.startMs <= bornMs || one.endMs + lagMs(by) >= startMs) return false;
      if (!applies(one.purge, method, found.tags)) return false;
      if (method !== "load") return true;
      // What counts as softly purged is answered while it is loaded again.
      return !one.purge.soft && !mayBeStale;
    });
    const loss =
      method === "load" ? undefined : lost.find((one) => one.startMs > bornMs && one.endMs + lagMs() < startMs);
    const older = (ms: number): string =>
      `${(startMs - ms).toFixed(1)} ms after it, born ${(ms - bornMs).toFixed(1)} ms before`;
    const answer = `${process} ${method}(${key}): ${JSON.stringify(found)}`;
    return [
      ...(purge ? [`${answer} in spite of ${JSON.stringify(purge)}, ${older(purge[1].endMs)}`] : []),
      ...(loss ? [`${answer} in spite of ${JSON.stringify(loss)}, ${older(loss.endMs)}`] : []),
    ];
  });
}

/** Loads of a value that had been stored with tags that were not purged hard: it should have been there, at least as a stale one. */
export function wronglyMissing(history: History): string[] {
  const lost = [...history.losses.filter(({ isFlush }) => isFlush), ...history.failovers];
  const sets = eventsOf(history, "set");
  return eventsOf(history, "load").flatMap(([process, { key, isMissing, startMs, endMs }]) => {
    if (!isMissing || !key.startsWith(KEPT)) return [];
    const set = sets.find(
      ([, one]) =>
        one.key === key &&
        one.endMs < startMs &&
        !lost.some((loss) => loss.endMs > one.startMs && loss.startMs < endMs),
    );
    return set ? [`${process} found nothing of ${key} after ${JSON.stringify(set)}`] : [];
  });
}
