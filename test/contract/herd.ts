import { describe } from "vitest";
import { background } from "./herd/background.js";
import { backgroundFailures } from "./herd/background-failures.js";
import { events } from "./herd/events.js";
import { failingLoads } from "./herd/failing-loads.js";
import type { Fleets } from "./herd/fleet.js";
import { forcedAndSoft } from "./herd/forced-and-soft.js";
import { invalidation } from "./herd/invalidation.js";
import { leases } from "./herd/leases.js";
import { many } from "./herd/many.js";
import { reading } from "./herd/reading.js";
import { staleValues } from "./herd/stale-values.js";
import { visibility } from "./herd/visibility.js";

/** What the herd client does alike over every transport, whatever the runtime. */
export function herdContract(name: string, fleets: Fleets): void {
  describe(`the herd client over ${name}`, () => {
    for (const part of [leases, failingLoads, staleValues, many, events, background, backgroundFailures]) part(fleets);
    for (const part of [invalidation, visibility, reading, forcedAndSoft]) part(fleets);
  });
}
