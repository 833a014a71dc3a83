import type { Header } from "../../codec/envelope.js";
import type { Clock } from "../../core/clock.js";

/**
 * Whether to refresh a fresh entry now: the chance grows towards expiry with the cost of the load.
 * Source: Vattani et al., VLDB 2015, §3 (XFetch).
 */
export function refreshesEarly(
  { freshUntilMs, deltaMs }: Pick<Header, "freshUntilMs" | "deltaMs">,
  beta: number,
  clock: Pick<Clock, "now" | "random">,
): boolean {
  return beta > 0 && deltaMs > 0 && clock.now() - deltaMs * beta * Math.log(clock.random()) >= freshUntilMs;
}
