import { createCache } from "valkey-edge-cache";
import { type BenchOptions, isWanted } from "../harness/options.ts";
import { median, quantile } from "../harness/statistics.ts";

export interface MakingCase {
  readonly view: string;
  /** Of making one: the median of all rounds, and their middle half. */
  readonly microseconds: number;
  readonly low: number;
  readonly high: number;
}

const VIEWS = 20_000;

/** What it costs to make a view, without using it. */
export async function measureMaking(options: BenchOptions): Promise<MakingCase[]> {
  const rounds = options.quick ? 3 : 15;
  const cache = createCache({ location: "memory:", keyPrefix: "bench" });
  const kinds: readonly (readonly [view: string, make: (i: number) => unknown])[] = [
    ["cache.namespace(name)", (i) => cache.namespace(`tenant-${i}`)],
    ["cache.for()", () => cache.for()],
    ["cache.for({ memo: true })", () => cache.for({ memo: true })],
  ];
  const cases: MakingCase[] = [];
  for (const [view, make] of kinds) {
    if (!isWanted(view, options)) continue;
    const micros: number[] = [];
    for (let round = -2; round < rounds; round++) {
      globalThis.gc?.();
      const startMs = performance.now();
      for (let i = 0; i < VIEWS; i++) make(i);
      // The first rounds warm up.
      if (round >= 0) micros.push(((performance.now() - startMs) * 1_000) / VIEWS);
    }
    cases.push({ view, microseconds: median(micros), low: quantile(micros, 0.25), high: quantile(micros, 0.75) });
  }
  await cache.close();
  return cases;
}
