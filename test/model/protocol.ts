import type { Script, Twin } from "../../src/core/connection.js";
import * as scripts from "../../src/lease/scripts.js";

/** A script with its steps in JavaScript, which the model runs. */
export type ModelScript = Script & { readonly twin: Twin };

/** The script with its twin, as the memory transport runs it. */
export function withTwin(script: Script): ModelScript {
  const twin = script.twin ?? scripts.leaseTwins.get(script);
  if (!twin) throw new Error(`${script.name} has no twin`);
  return { ...script, twin };
}

export const CLAIM = withTwin(scripts.CLAIM);
export const SEIZE = withTwin(scripts.SEIZE);
export const RENEW = withTwin(scripts.RENEW);
export const YIELD = withTwin(scripts.YIELD);

/** The protocol that the model explores. A mutation replaces one part of it. */
export interface Protocol {
  readonly claim: ModelScript;
  readonly seize: ModelScript;
  readonly publish: ModelScript;
  readonly renew: ModelScript;
  readonly yield: ModelScript;
  readonly drop: ModelScript;
  /** Whether a command is retried once after its connection was lost. */
  readonly retries: boolean;
  /** Whether a command is retried after its deadline, while the server may still run the first one. */
  readonly retriesAfterDeadline: boolean;
  /** Whether a caller that reads a placeholder with its own token takes it as a claim. */
  readonly recognisesOwnToken: boolean;
  /** Whether deleting the entry ends the lease. */
  readonly deleteEndsLease: boolean;
  /** Whether a placeholder expires with the lease. */
  readonly placeholderExpires: boolean;
  /** Whether a caller stops waiting at its limit. */
  readonly limitsWait: boolean;
}

export const PROTOCOL: Protocol = {
  claim: CLAIM,
  seize: SEIZE,
  publish: withTwin(scripts.PUBLISH),
  renew: RENEW,
  yield: YIELD,
  drop: withTwin(scripts.DROP),
  retries: true,
  retriesAfterDeadline: false,
  recognisesOwnToken: true,
  deleteEndsLease: true,
  placeholderExpires: true,
  limitsWait: true,
};

/** Time in the model passes in ticks. The server's clock always shows `NOW_MS`: a tick moves all stored moments back. */
export const TICK_MS = 1_000;
export const NOW_MS = 1_000_000_000_000;

/** Lengths of time, in ticks. A lease is renewed at each tick. */
export const LEASE = 2;
export const TTL = 1;
export const GRACE = 1;
export const PAUSE = 1;
export const WAIT = 4;
