import type { Script } from "../../src/core/connection.js";
import { CLAIM, DROP, PUBLISH, RENEW, SEIZE, YIELD } from "../../src/lease/scripts.js";

/** The protocol that the model explores. A mutation replaces one part of it. */
export interface Protocol {
  readonly claim: Script;
  readonly seize: Script;
  readonly publish: Script;
  readonly renew: Script;
  readonly yield: Script;
  readonly drop: Script;
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
  publish: PUBLISH,
  renew: RENEW,
  yield: YIELD,
  drop: DROP,
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
