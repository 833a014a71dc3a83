import type { Cache } from "../cache/cache.js";
import { mayRefreshEarly } from "../client/herd/entry.js";
import type { HerdSettings } from "../client/herd/options.js";
import { type Envelope, NO_TOKEN } from "../codec/envelope.js";
import { ConfigurationError } from "../core/errors.js";
import { hasLeases } from "../lease/read-or-claim.js";
import { duration, percent } from "./figures.js";
import type { WhyReport } from "./port.js";
import { leaseText, type Reading } from "./reading.js";

/** What `getOrSet` would do. */
export interface Outcome {
  readonly outcome: WhyReport["outcome"];
  /** What it would do, after "getOrSet would". */
  readonly does: string;
  /** Further facts, each a sentence. */
  readonly reasons: readonly string[];
}

/** What the client works with, and what the server says of itself. */
export interface Circumstances {
  readonly herd: HerdSettings | undefined;
  readonly nowMs: number;
  readonly atMs: number;
  /** What keeps the client from storing a value that it has loaded; `undefined` where nothing is known to. */
  readonly unwritable: string | undefined;
  /** Leases can be taken, as far as is known. */
  readonly hasLeases: boolean;
}

const ALONE = "call the loader and store nothing";

/** The steps of `Lookup` of the herd client (client/herd/lookup.ts), or those of the default client, after a read. */
export function outcomeOf(reading: Reading, circumstances: Circumstances): Outcome {
  const { herd } = circumstances;
  switch (reading.is) {
    case "refused":
      return { outcome: "alone", does: ALONE, reasons: [] };
    case "newer":
      if (herd) return { outcome: "alone", does: ALONE, reasons: ["An entry of a newer version is not overwritten."] };
      return loads(circumstances, "load, and overwrite the entry");
    case "undecodable":
      if (reading.cause instanceof ConfigurationError) return { outcome: "fail", does: "reject", reasons: [] };
      return loads(circumstances, "load, and replace the entry");
    case "missing":
    case "ended":
      return loads(circumstances, "load");
    case "leased":
      return herd ? waits(herd) : loads(circumstances, "load");
    case "stale":
      return refreshes(reading.envelope, circumstances);
    case "fresh":
      return hits(reading.envelope, circumstances);
  }
}

function loads({ herd, unwritable, hasLeases: canLease }: Circumstances, does: string): Outcome {
  if (unwritable !== undefined) return { outcome: "alone", does: ALONE, reasons: [`${unwritable}.`] };
  if (!herd)
    return { outcome: "load", does, reasons: ["The default client takes no lease: each process loads by itself."] };
  const lease = canLease
    ? "The first caller of the fleet takes the lease, and all others wait for its value."
    : "No lease is taken, as the server refuses a command that leases need: each process loads by itself.";
  return { outcome: "load", does, reasons: [lease] };
}

function waits({ waitMs }: HerdSettings): Outcome {
  const limit = `It waits for ${duration(waitMs)} at most, and then calls the loader itself and stores nothing.`;
  return { outcome: "wait", does: "wait for the value of another caller", reasons: [limit] };
}

function refreshes(envelope: Envelope, { herd, nowMs, atMs }: Circumstances): Outcome {
  const stale = "return the stale value";
  if (!herd) return { outcome: "refresh", does: `${stale} while it loads a new one`, reasons: [] };
  if (envelope.leaseUntilMs <= nowMs) {
    const does = herd.background ? `${stale} while it loads a new one` : "load a new value, in place of the stale one";
    return { outcome: "refresh", does, reasons: [] };
  }
  const lease = `${upper(leaseText(envelope, atMs))}.`;
  if (envelope.token === NO_TOKEN) return { outcome: "hit", does: stale, reasons: [lease] };
  return { outcome: "refresh", does: `${stale}, which another caller loads anew`, reasons: [lease] };
}

function hits(envelope: Envelope | undefined, { herd, nowMs }: Circumstances): Outcome {
  const hit = { outcome: "hit", does: "return the stored value" } as const;
  if (!envelope || !herd) return { ...hit, reasons: [] };
  const chance = earlyChance(envelope, herd.beta, nowMs);
  if (chance === 0 || envelope.leaseUntilMs > nowMs) return { ...hit, reasons: [] };
  const reason = `Its load took ${duration(envelope.deltaMs)}: the chance that a call now refreshes it early is ${percent(chance)}.`;
  if (chance < 0.5) return { ...hit, reasons: [reason] };
  return { outcome: "refresh", does: "return the stored value while it loads a new one", reasons: [reason] };
}

/** The chance that `refreshesEarly` of client/herd/entry.ts draws a refresh now. */
export function earlyChance({ freshUntilMs, deltaMs }: Envelope, beta: number, nowMs: number): number {
  const clock = { now: () => nowMs };
  if (!mayRefreshEarly({ freshUntilMs, deltaMs }, beta, clock)) return 0;
  return Math.exp(-(freshUntilMs - nowMs) / deltaMs / beta);
}

/** What keeps a client from writing, and whether it has leases. @throws {ConnectionError} when the cache was closed */
export function abilities({ connection }: Pick<Cache, "connection">): Pick<Circumstances, "unwritable" | "hasLeases"> {
  const refusal = connection.status().refusals?.find(({ what }) => what === "SET");
  return { hasLeases: hasLeases(connection), unwritable: refusal && `The server refuses writes: ${refusal.detail}` };
}

export function upper(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
