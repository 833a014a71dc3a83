import { GRACE, NOW_MS, TICK_MS, TTL } from "./protocol.js";
import { UNREADABLE, value } from "./server.js";
import { EMPTY, type Kept, newCaller, type World } from "./world.js";

export interface Bounds {
  /** For each caller: how many ticks its clock is ahead of the server's. */
  readonly skews: readonly number[];
  /** How many faults in one run: a lost connection, a late message, a crash, a freeze, an eviction. */
  readonly faults: number;
  /** How often another client deletes or sets the entry. */
  readonly writes: number;
  readonly failovers: number;
}

/** The worlds in which runs begin: without an entry, with one about to expire, with one past its grace, and with an unreadable one. */
export function starts({ skews, faults, writes, failovers }: Bounds): World[] {
  const text = value(NOW_MS);
  const stale: Kept = { ...EMPTY, entry: { text, expiresAtMs: NOW_MS + GRACE * TICK_MS } };
  const expired: Kept = {
    ...EMPTY,
    entry: { text: value(NOW_MS - (GRACE + 1) * TICK_MS), expiresAtMs: NOW_MS + 2 * TTL * TICK_MS },
  };
  const unreadable: Kept = { ...EMPTY, entry: { text: UNREADABLE, expiresAtMs: NOW_MS + 2 * TICK_MS } };
  const rest = { replica: undefined, callers: skews.map(newCaller), uncertain: 0, faults, writes, failovers };
  return [EMPTY, stale, expired, unreadable].map((kept) => ({ ...rest, kept }));
}
