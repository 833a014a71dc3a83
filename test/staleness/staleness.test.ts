import { expect, it } from "vitest";
import { keepFigures } from "../faults/figures.js";
import { randomFrom } from "../promises/operations.ts";
import type { Violation } from "./history.ts";
import type { Round } from "./round.ts";
import { Stage } from "./stage.ts";

/** `npm run near` runs longer, over more topologies, and with a seed of its own. */
const SECONDS = Number(process.env.ROUNDS_SECONDS ?? 20);
const SEED = Number(process.env.ROUNDS_SEED ?? Math.floor(Math.random() * 1e9));
const IS_LONG = process.env.ROUNDS_SECONDS !== undefined;

type Kind = readonly [Round["topology"], Round["invalidation"], Round["weather"]];

const SHORT: readonly Kind[] = [
  ["standalone", "tracking", "calm"],
  ["cluster", "tracking", "faults"],
  ["standalone", "tracking", "faults"],
  ["standalone", "channel", "faults"],
];
const LONG: readonly Kind[] = [
  ["standalone", "tracking", "calm"],
  ["standalone", "tracking", "faults"],
  ["cluster", "tracking", "faults"],
  ["sentinel", "tracking", "faults"],
  ["replica", "tracking", "faults"],
  ["cluster", "tracking", "calm"],
  ["standalone", "channel", "faults"],
  ["cluster", "tracking", "faults"],
  ["sentinel", "tracking", "faults"],
  ["standalone", "tracking", "faults"],
  ["cluster", "channel", "faults"],
  ["replica", "ttl", "faults"],
  ["standalone", "ttl", "faults"],
];
const KINDS = IS_LONG ? LONG : SHORT;
const ROUND_MS = IS_LONG ? 15_000 : (SECONDS * 1_000) / KINDS.length - 400;
const PROCESSES = IS_LONG ? 3 : 2;
const PROMISES: readonly Violation["promise"][] = [
  "bounded staleness",
  "own writes",
  "own lifetime",
  "purges",
  "nothing that never was",
];

function roundOf(i: number): Round {
  const seed = SEED + i;
  const random = randomFrom(seed);
  const [topology, invalidation, weather] = KINDS[i % KINDS.length] as Kind;
  return {
    ...{ topology, invalidation, weather, seed, forMs: ROUND_MS },
    client: random() < 0.5 ? "default" : "herd",
    values: random() < 0.5 ? "copy" : "shared",
    setsClocks: random() < 0.3,
    maxStalenessMs: Math.round(300 + random() * (IS_LONG ? 1_700 : 500)),
  };
}

it(
  "no process returns a value from its near cache that is older than promised, whatever fails and whoever writes",
  async () => {
    await using stage = await Stage.open(PROCESSES);
    await Promise.all([...new Set(KINDS.map(([topology]) => topology))].map((topology) => stage.prepare(topology)));
    const startMs = performance.now();
    const found: string[] = [];
    const broken = new Map<string, number>(PROMISES.map((promise) => [promise, 0]));
    const faults = new Map<string, number>();
    const lags: number[] = [];
    const sums = { operations: 0, hits: 0, nearHits: 0 };
    for (let i = 0; performance.now() - startMs < SECONDS * 1_000; i++) {
      const round = roundOf(i);
      const shown = await stage.play(round);
      for (const name of ["operations", "hits", "nearHits"] as const) sums[name] += shown[name];
      for (const [kind, times] of shown.faults) faults.set(kind, (faults.get(kind) ?? 0) + times);
      lags.push(...shown.lags);
      for (const violation of shown.violations) {
        const before = broken.get(violation.promise) ?? 0;
        broken.set(violation.promise, before + 1);
        if (before >= 3) continue;
        const afterS = ((performance.now() - startMs) / 1_000).toFixed(0);
        found.push(`[after ${afterS} s, ${JSON.stringify(round)}] ${describe(violation, shown.events)}`);
        if (IS_LONG) console.log(found.at(-1));
      }
    }
    const seconds = (performance.now() - startMs) / 1_000;
    const summary = summaryOf({ ...sums, seconds, faults, broken, lags });
    await keepFigures("staleness", { summary });
    expect(found.join("\n\n"), `seed ${SEED}`).toBe("");
    expect(sums.nearHits, "reads answered in the process").toBeGreaterThan(SECONDS * 50);
    expect(sums.nearHits / sums.hits, "share of hits that needed no server").toBeGreaterThan(0.2);
    expect(lags.length, "writes that processes heard of").toBeGreaterThan(SECONDS);
  },
  (SECONDS + 120) * 1_000,
);

/** A violation, and what else happened about that time. */
function describe({ promise, what, atMs, events }: Violation, faults: Violation["events"]): string {
  const around = [...events, ...faults].filter(([startMs]) => startMs > atMs - 5_000 && startMs < atMs + 1_000);
  const lines = around.sort(([a], [b]) => a - b).map(([ms, event]) => `    ${(ms - atMs).toFixed(0)} ms: ${event}`);
  return [`${promise}: ${what}; at ${atMs.toFixed(1)}`, ...lines].join("\n");
}

interface Figures {
  readonly operations: number;
  readonly hits: number;
  readonly nearHits: number;
  readonly seconds: number;
  readonly faults: ReadonlyMap<string, number>;
  readonly broken: ReadonlyMap<string, number>;
  readonly lags: readonly number[];
}

function summaryOf({ operations, hits, nearHits, seconds, faults, broken, lags }: Figures): string[] {
  const sorted = [...lags].sort((a, b) => a - b);
  const at = (part: number): string => `${(sorted[Math.floor(part * (sorted.length - 1))] ?? NaN).toFixed(1)} ms`;
  const count = [...faults.values()].reduce((sum, times) => sum + times, 0);
  const kinds = [...faults].sort(([, a], [, b]) => b - a).map(([kind, times]) => `  ${times} × ${kind}`);
  return [
    `${operations} operations, ${Math.round(operations / seconds)} a second; seed ${SEED}`,
    `${nearHits} of ${hits} hits answered in the process (${((100 * nearHits) / hits).toFixed(0)} %)`,
    `from an outside write's reply to the last old answer, in calm rounds: p50 ${at(0.5)}, p99 ${at(0.99)}, ${lags.length} cases`,
    `${count} faults:`,
    ...kinds,
    ...Array.from(broken, ([promise, times]) =>
      times === 0 ? `kept: ${promise}` : `VIOLATED ${times} times: ${promise}`,
    ),
  ];
}
