import { expect, it } from "vitest";
import { keepFigures } from "./figures.js";
import { soak } from "./soak.js";

/** `npm run soak` runs longer. */
const SECONDS = Number(process.env.SOAK_SECONDS ?? 8);
/** A step makes at most five calls, and a scan starts again when its connection is lost. */
const LONGEST_MS = 6_000;

it(
  "under any mix of faults a cache gives right values and leaks neither memory nor connections",
  async () => {
    const soaked = await soak(SECONDS);
    await keepFigures("soak", soaked);
    expect(soaked.wrong).toEqual([]);
    expect(soaked.strange).toEqual([]);
    expect(soaked).toMatchObject({ getOrSetFailed: 0, unhandled: 0 });
    expect(soaked.connections).toBeLessThanOrEqual(1);
    expect(soaked.longestMs - soaked.stalledMs).toBeLessThan(LONGEST_MS);
    // Compared with the heap after warming up.
    const [, , warm = 0] = soaked.heap;
    expect((soaked.heap.at(-1) ?? 0) - warm).toBeLessThan(10);
    expect(soaked.calls).toBeGreaterThan(SECONDS * 100);
  },
  (SECONDS + 30) * 1_000,
);
