import { expect, it } from "vitest";
import type { Reply } from "../../src/index.js";
import { keepFigures } from "./figures.js";
import { collectedHeap } from "./heap.js";
import { hostileCaches, hostileReply, seeded, seeds, tryOnce } from "./hostile.js";

/** `npm run faults` uses a million. */
const INPUTS = Number(process.env.HOSTILE_INPUTS ?? 10_000);
/** Concurrent calls, each with a value of at most 1 MiB. */
const AT_ONCE = 20;

it(
  "replies of a hostile server do no harm",
  async () => {
    const seed = Number(process.env.HOSTILE_SEED ?? Math.floor(Math.random() * 2 ** 31));
    const random = seeded(seed);
    let reply: () => Reply = () => null;
    const caches = hostileCaches(() => reply());
    const known = await seeds(caches);
    reply = () => hostileReply(known, random);
    const clean = Reflect.ownKeys(Object.prototype).length;
    const before = collectedHeap();
    const found = new Set<string>();
    const counts = { answered: 0, failed: 0 };
    let mostMiB = 0;
    let longestMs = 0;
    for (let i = 0; i < INPUTS; i += AT_ONCE) {
      const startMs = performance.now();
      const ends = await Promise.all(
        Array.from({ length: AT_ONCE }, (_, j) => tryOnce(caches[(i + j) % caches.length] ?? throwNone(), random)),
      );
      longestMs = Math.max(longestMs, performance.now() - startMs);
      for (const end of ends) {
        if (typeof end === "object") found.add(end.wrong);
        else counts[end]++;
      }
      if (i % 1_000 === 0) mostMiB = Math.max(mostMiB, process.memoryUsage().external / 2 ** 20);
      if (found.size > 20) break;
    }
    expect({ seed, found: [...found] }).toEqual({ seed, found: [] });
    // Neither is rare, or the replies would test little.
    expect(Math.min(counts.answered, counts.failed)).toBeGreaterThan(INPUTS / 10);
    expect(Reflect.ownKeys(Object.prototype)).toHaveLength(clean);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
    expect(collectedHeap() - before).toBeLessThan(30);
    expect(mostMiB).toBeLessThan(500);
    await keepFigures("hostile", { inputs: INPUTS, seed, ...counts, longestMs, mostMiB });
  },
  60_000 + INPUTS,
);

function throwNone(): never {
  throw new Error("there are no caches");
}
