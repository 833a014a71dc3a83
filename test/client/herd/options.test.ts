import { describe, expect, it } from "vitest";
import { Wait } from "../../../src/client/herd/wait.js";
import { type HerdOptions, herd } from "../../../src/index.js";

describe("herd", () => {
  it.each<[string, unknown, RegExp]>([
    ["timeout", -1, /option "timeout" is -1; give seconds/],
    ["timeout", "5 minutes", /option "timeout"/],
    ["lease", 0, /option "lease" is 0; give a duration above 0/],
    ["wait", "-5s", /option "wait"/],
    ["beta", -0.5, /option "beta" is -0.5; give a number from 0/],
    ["beta", Number.NaN, /option "beta" is NaN/],
    ["jitter", 1, /option "jitter" is 1; give a part from 0 to below 1/],
    ["retryAfter", null, /option "retryAfter" is null/],
    ["background", "yes", /option "background" is "yes"; give true or false/],
    ["hardTimeout", 0, /option "hardTimeout" is 0; give a duration above 0, or null/],
    ["grace", 5, /unknown option "grace"; known options are: timeout, lease/],
  ])("refuses %s: %j", (name, value, message) => {
    expect(() => herd({ [name]: value } as HerdOptions)).toThrow(message);
  });

  it("takes none, and all at their limits", () => {
    herd();
    herd({
      timeout: 0,
      lease: "1ms",
      wait: 0,
      beta: 0,
      jitter: 0,
      retryAfter: 0,
      background: false,
      hardTimeout: null,
    });
  });
});

describe("a wait for another's value", () => {
  /** The moments at which it looked again. */
  async function looks(limitMs: number, random: () => number): Promise<number[]> {
    let nowMs = 1_000;
    const sleep = async (ms: number) => {
      nowMs += ms;
    };
    const wait = new Wait({ now: () => nowMs, random, sleep }, limitMs);
    const seen: number[] = [];
    while (await wait.next(new AbortController().signal)) seen.push(nowMs - 1_000);
    return seen;
  }

  it.each([0, 0.5, 0.999])(
    "looks again before another tenth of its time has passed, and in few steps (random %d)",
    async (random) => {
      const seen = await looks(10_000, () => random);
      for (const [i, atMs] of seen.entries()) {
        const beforeMs = seen[i - 1] ?? 0;
        expect(atMs - beforeMs).toBeLessThanOrEqual(Math.max(5, Math.min(250, Math.ceil(beforeMs * 0.1))));
      }
      expect(seen.length).toBeLessThan(160);
      expect(seen.at(-1)).toBe(10_000);
    },
  );

  it("has a last look when its time is over, and ends then", async () => {
    expect((await looks(7, () => 0.999)).at(-1)).toBe(7);
    expect(await looks(0, () => 0)).toEqual([]);
  });

  it("is not made longer by a clock that is set back, nor endless by one that stands", async () => {
    let [nowMs, slept] = [1_000_000, 0];
    const sleep = async (ms: number) => {
      slept += ms;
      nowMs -= 5_000;
    };
    const wait = new Wait({ now: () => nowMs, random: () => 0.5, sleep }, 1_000);
    while (await wait.next(new AbortController().signal));
    expect(slept).toBe(1_000);
    expect(wait.durationMs).toBe(0);
  });

  it("ends with the signal's reason", async () => {
    const leaving = new AbortController();
    const sleep = async () => leaving.abort(new Error("left"));
    const wait = new Wait({ now: () => 0, random: () => 0, sleep }, 1_000);
    await expect(wait.next(leaving.signal)).rejects.toThrow("left");
  });
});
