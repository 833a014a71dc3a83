import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createCache, herd, nearCache } from "../../src/index.js";
import { followAll, HerdProcess } from "../client/herd/processes.js";
import { command } from "../support/command.js";
import { build } from "../support/project.js";
import { startValkey, type ValkeyServer } from "../support/servers.js";
import { until } from "../support/wait.js";

const PROCESSES = 4;
const LOAD_MS = 1_500;

let server: ValkeyServer;

beforeAll(async () => {
  await build();
  server = await startValkey();
}, 120_000);

afterAll(async () => {
  await server.stop();
});

/** How often the server has run a command since its counts were reset. */
async function calls(name: string): Promise<number> {
  const stats = String(await command(server.port, ["INFO", "commandstats"]));
  return Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
}

/** What processes see of one cold load, how many commands looked for it, and when they went on. */
async function coldLoad() {
  const processes = await Promise.all(
    Array.from({ length: PROCESSES }, () => HerdProcess.start({ url: server.url, near: true })),
  );
  try {
    await command(server.port, ["CONFIG", "RESETSTAT"]);
    const startedMs = performance.now();
    const seen = await followAll(processes, { key: randomUUID(), callers: 10, loadMs: LOAD_MS });
    return { ...seen, looks: await calls("set"), tookMs: performance.now() - startedMs };
  } finally {
    await Promise.all(processes.map((one) => one[Symbol.asyncDispose]()));
  }
}

describe("callers who wait for another process's load", () => {
  it("look when the server tells of its end, and rarely before", { timeout: 30_000 }, async () => {
    const woken = await coldLoad();
    expect([woken.loads, woken.values.length]).toEqual([1, 1]);
    // Each process claims, looks once after it listens and once when the claim is told of, and then every 125 ms at most.
    // Those that poll look twice as often.
    expect(woken.looks).toBeLessThanOrEqual(PROCESSES * (3 + woken.tookMs / 125));
  });

  it("of many keys look for all that were loaded together, and not for each of them", async () => {
    const caches = [0, 1].map(() =>
      createCache({ location: server.url, client: herd(), nearCache: nearCache(), commandTimeout: 5 }),
    );
    const [holder, waiter] = caches;
    if (!holder || !waiter) throw new Error("there are two");
    const keys = Array.from({ length: 100 }, (_key, i) => `many ${i}`);
    await waiter.get("connect");
    await until(async () => (await waiter.health()).nearCache?.listening, { what: "the near cache to listen" });
    await command(server.port, ["CONFIG", "RESETSTAT"]);
    const startedMs = performance.now();
    const held = holder.getOrSetMany(keys, async (missing) => {
      await sleep(LOAD_MS);
      return new Map(missing.map((key) => [key, key]));
    });
    await until(async () => (await calls("set")) >= keys.length, { what: "the claims" });
    const waited = await waiter.getOrSetMany(keys, () => Promise.reject(new Error("loaded twice")));
    expect(waited).toEqual(new Map(keys.map((key) => [key, key])));
    await held;
    const tookMs = performance.now() - startedMs;
    // Claims, values that are stored, and looks: the first, one soon after it, those each 250 ms, and a few at the end.
    expect(await calls("set")).toBeLessThan(keys.length * (2 + 2 + tookMs / 125 + 4));
    for (const cache of caches) await cache.close();
  }, 30_000);
});
