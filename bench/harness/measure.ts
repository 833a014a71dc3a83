import { median, quantile } from "./statistics.ts";

/** One way to do the same work. */
export interface Contender {
  readonly name: string;
  call(): Promise<unknown>;
}

export interface Sampling {
  readonly rounds: number;
  /** How long each contender runs in each round. */
  readonly sliceMs: number;
  /**
   * How many calls a caller makes between two looks at the clock, each followed by a turn of the event loop. For calls that
   * wait for nothing: a loop of promises lets no timer and no socket have its turn.
   * @default 1, without turns of the event loop
   */
  readonly burst?: number;
}

export interface Comparison {
  readonly name: string;
  /** Calls per second, the median of all rounds. */
  readonly perSecond: number;
  /** Time of the JavaScript thread for one call, in microseconds, waiting left out: the median of all rounds. */
  readonly threadMicros: number;
  /** Its calls per second by those of the baseline in the same round: the median, and the middle half of the rounds. */
  readonly ratio: number;
  readonly low: number;
  readonly high: number;
}

/**
 * Runs all contenders in turn, round after round, and compares each with the first one in the same round. What else the
 * machine does meanwhile then slows down neighbours alike, and a bad moment is one round of many.
 */
export async function compare(
  contenders: readonly Contender[],
  callers: number,
  sampling: Sampling,
): Promise<Comparison[]> {
  const { rounds } = sampling;
  for (const contender of contenders) await slice(contender, callers, sampling);
  const slices = new Map<string, Slice[]>(contenders.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    // There and back again: a machine that gets slower favours nobody. Each begins in its turn, so that none follows itself,
    // which a lone caller is slower at.
    const turned = contenders.map((_contender, i) => contenders[(i + round) % contenders.length] as Contender);
    const order = round % 2 === 0 ? turned : turned.toReversed();
    for (const contender of order) slices.get(contender.name)?.push(await slice(contender, callers, sampling));
  }
  const baseline = slices.get(contenders[0]?.name ?? "") ?? [];
  return [...slices].map(([name, own]) => {
    const ratios = own.map(({ perSecond }, round) => perSecond / (baseline[round]?.perSecond ?? Number.NaN));
    return {
      name,
      perSecond: median(own.map(({ perSecond }) => perSecond)),
      threadMicros: median(own.map(({ threadMicros }) => threadMicros)),
      ratio: median(ratios),
      low: quantile(ratios, 0.25),
      high: quantile(ratios, 0.75),
    };
  });
}

interface Slice {
  readonly perSecond: number;
  readonly threadMicros: number;
}

/** What so many callers do in that time, each with one call under way at any moment. */
async function slice({ call }: Contender, callers: number, { sliceMs, burst }: Sampling): Promise<Slice> {
  // What one contender left behind is not for the next one to clear away; and as the collector takes compiled code, too,
  // each warms up again. A lone caller leaves little behind, and warms up too slowly for that.
  if (callers > 1 || burst) globalThis.gc?.();
  await run(call, callers, sliceMs / 10, burst);
  const before = process.threadCpuUsage();
  const startMs = performance.now();
  const calls = await run(call, callers, sliceMs, burst);
  const { user, system } = process.threadCpuUsage(before);
  return { perSecond: (calls * 1_000) / (performance.now() - startMs), threadMicros: (user + system) / calls };
}

async function run(call: () => Promise<unknown>, callers: number, forMs: number, burst = 0): Promise<number> {
  let calls = 0;
  const endMs = performance.now() + forMs;
  const caller = async (): Promise<void> => {
    do {
      await call();
      calls++;
    } while (performance.now() < endMs);
  };
  const burstCaller = async (): Promise<void> => {
    do {
      for (let i = 0; i < burst; i++) await call();
      calls += burst;
      await new Promise(setImmediate);
    } while (performance.now() < endMs);
  };
  await Promise.all(Array.from({ length: callers }, burst > 0 ? burstCaller : caller));
  return calls;
}
