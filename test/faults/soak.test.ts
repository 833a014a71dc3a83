import { expect, it } from "vitest";
import { keepFigures } from "./figures.js";
import { soak } from "./soak.js";

/** More in `npm run soak`. */
const SECONDS = Number(process.env.SOAK_SECONDS ?? 8);
/** Of all steps, the one that makes most calls makes five, and a walk begins anew when its connection is lost. */
const LONGEST_MS = 6_000;

it(
  "goes on under any mix of faults, with right answers, and keeps no memory and no connections",
  async () => {
    const soaked = await soak(SECONDS);
    await keepFigures("soak", soaked);
    expect(soaked.wrong).toEqual([]);
    expect(soaked.strange).toEqual([]);
    expect(soaked).toMatchObject({ getOrSetFailed: 0, unhandled: 0 });
    expect(soaked.connections).toBeLessThanOrEqual(1);
    expect(soaked.longestMs - soaked.stalledMs).toBeLessThan(LONGEST_MS);
    // From when all is warm on.
    const [, , warm = 0] = soaked.heap;
    expect((soaked.heap.at(-1) ?? 0) - warm).toBeLessThan(10);
    expect(soaked.calls).toBeGreaterThan(SECONDS * 100);
  },
  (SECONDS + 30) * 1_000,
);
