export interface EarlyRefresh {
  readonly freshUntilMs: number;
  /** How long the load took. */
  readonly deltaMs: number;
  readonly beta: number;
  readonly nowMs: number;
  readonly random: () => number;
}

/** The chance to refresh early grows towards expiry with the cost of the load. Source: Vattani et al., VLDB 2015, §3 (XFetch). */
export function refreshesEarly({ freshUntilMs, deltaMs, beta, nowMs, random }: EarlyRefresh): boolean {
  return beta > 0 && deltaMs > 0 && nowMs - deltaMs * beta * Math.log(random()) >= freshUntilMs;
}
