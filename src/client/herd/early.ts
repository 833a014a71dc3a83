import type { Header } from "../../codec/envelope.js";
import type { Clock } from "../../core/clock.js";

/**
 * Whether to refresh a fresh entry now: the chance grows towards expiry with the cost of the load.
 * Source: Vattani et al., VLDB 2015, §3 (XFetch).
 *
 * Every reader in the fleet draws, so that with many readers somebody draws a long lead long before expiry. A lead longer
 * than the load gains nothing, as the load is over by the expiry: so it ends there (times β, where that is above 1).
 */
export function refreshesEarly(
  { freshUntilMs, deltaMs }: Pick<Header, "freshUntilMs" | "deltaMs">,
  beta: number,
  clock: Pick<Clock, "now" | "random">,
): boolean {
  if (beta <= 0 || deltaMs <= 0) return false;
  const lead = Math.min(-beta * Math.log(clock.random()), Math.max(1, beta));
  return clock.now() + deltaMs * lead >= freshUntilMs;
}

/** The delta to store: no load is so dear that an entry should be refreshed in more than the last tenth of its life. */
export function boundedDelta(deltaMs: number, ttlMs: number | null): number {
  return ttlMs === null ? deltaMs : Math.min(deltaMs, ttlMs / 10);
}
