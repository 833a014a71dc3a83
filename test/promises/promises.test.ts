import { expect, it } from "vitest";
import { keepFigures } from "../faults/figures.js";
import { CHECKS, describe, violations } from "./checks.ts";
import type { Round, Weather } from "./round.ts";
import { Stage } from "./stage.ts";

/** `npm run promises` runs longer, and with a seed of its own. */
const SECONDS = Number(process.env.ROUNDS_SECONDS ?? 20);
const SEED = Number(process.env.ROUNDS_SEED ?? Math.floor(Math.random() * 1e9));
const IS_LONG = process.env.ROUNDS_SECONDS !== undefined;

const WEATHERS: readonly Weather[] = ["calm", "faults", "foreign", "faults, foreign"];
/** Each transport and client under each weather; neighbours differ in all. */
const ROUNDS = WEATHERS.flatMap((_, i) =>
  (["memory", "glide", "iovalkey", "cluster"] as const).flatMap((transport, j) =>
    (["default", "herd"] as const).map((client, k) => ({
      transport,
      client,
      weather: WEATHERS[(i + j + k) % 4] ?? "calm",
    })),
  ),
);

it(
  "random calls of two caches keep every promise, under faults and foreign writers",
  async () => {
    await using stage = await Stage.open();
    const forMs = IS_LONG ? 3_000 : (SECONDS * 1_000) / ROUNDS.length - 100;
    const startMs = performance.now();
    const found: string[] = [];
    const broken = new Map<string, number>(Object.keys(CHECKS).map((promise) => [promise, 0]));
    let operations = 0;
    let faults = 0;
    for (let i = 0; performance.now() - startMs < SECONDS * 1_000; i++) {
      const round: Round = {
        ...(ROUNDS[i % ROUNDS.length] as (typeof ROUNDS)[number]),
        ...{ seed: SEED + i, forMs, waitTimeoutMs: 1_000 },
        commandTimeoutMs: (ROUNDS[i % ROUNDS.length]?.weather ?? "calm").includes("faults") ? 200 : 5_000,
      };
      const played = await stage.play(round);
      operations += played.operations;
      faults += played.faults;
      for (const violation of violations(played.history, round)) {
        const before = broken.get(violation.promise) ?? 0;
        broken.set(violation.promise, before + 1);
        if (before >= 3) continue;
        const name = `${round.transport}, ${round.client}, ${round.weather}, seed ${round.seed}`;
        found.push(`[${name}] ${describe(violation)}`);
        if (IS_LONG) console.log(found.at(-1));
      }
    }
    const seconds = (performance.now() - startMs) / 1_000;
    const summary = [
      `${operations} operations, ${Math.round(operations / seconds)} a second; ${faults} faults; seed ${SEED}`,
      ...Array.from(broken, ([promise, times]) =>
        times === 0 ? `kept: ${promise}` : `VIOLATED ${times} times: ${promise}`,
      ),
    ];
    await keepFigures("promises", { summary });
    expect(found.join("\n\n"), `seed ${SEED}`).toBe("");
    expect(operations).toBeGreaterThan(SECONDS * 50);
  },
  (SECONDS + 40) * 1_000,
);
