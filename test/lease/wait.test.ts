import { describe, expect, it } from "vitest";
import { Wait } from "../../src/lease/wait.js";

describe("waiting for the lease holder", () => {
  /** The times of the polls, in milliseconds from the start. */
  async function polls(limitMs: number, random: () => number): Promise<number[]> {
    let nowMs = 1_000;
    const sleep = async (ms: number) => {
      nowMs += ms;
    };
    const wait = new Wait({ now: () => nowMs, random, sleep }, limitMs);
    const times: number[] = [];
    while (await wait.next(new AbortController().signal)) times.push(nowMs - 1_000);
    return times;
  }

  it.each([0, 0.5, 0.999])(
    "polls before another tenth of the time waited has passed, and seldom in all (random %d)",
    async (random) => {
      const times = await polls(10_000, () => random);
      for (const [i, atMs] of times.entries()) {
        const beforeMs = times[i - 1] ?? 0;
        expect(atMs - beforeMs).toBeLessThanOrEqual(Math.max(5, Math.min(250, Math.ceil(beforeMs * 0.1))));
      }
      expect(times.length).toBeLessThan(160);
      expect(times.at(-1)).toBe(10_000);
    },
  );

  it("polls a last time at the limit, and then ends", async () => {
    expect((await polls(7, () => 0.999)).at(-1)).toBe(7);
    expect(await polls(0, () => 0)).toEqual([]);
  });

  it("ends in time when the clock is set back or stands still", async () => {
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

  it("polls soon and then rarely where changes are reported", async () => {
    let nowMs = 1_000;
    const slept: number[] = [];
    const sleep = async (ms: number) => {
      slept.push(ms);
      nowMs += ms;
    };
    const wait = new Wait({ now: () => nowMs, random: () => 1, sleep }, 1_000);
    const changes = { signal: new AbortController().signal, end: () => {} };
    while (await wait.next(new AbortController().signal, undefined, changes));
    expect(slept).toEqual([5, 250, 250, 250, 245]);
  });

  it("polls soon again after a change, as the next one may come before it is listened for", async () => {
    let nowMs = 1_000;
    const slept: number[] = [];
    const sleep = async (ms: number, signal?: AbortSignal) => {
      if (signal?.aborted) return;
      slept.push(ms);
      nowMs += ms;
    };
    const wait = new Wait({ now: () => nowMs, random: () => 1, sleep }, 1_000);
    const changes = (signal: AbortSignal) => ({ signal, end: () => {} });
    const never = new AbortController().signal;
    for (const change of [never, never, AbortSignal.abort(), never, never]) {
      await wait.next(new AbortController().signal, undefined, changes(change));
    }
    expect(slept).toEqual([5, 250, 26, 250]);
  });

  it("sleeps until a change, ends the watch for it, and counts only the time that it slept", async () => {
    let ended = 0;
    const sleeps: (AbortSignal | undefined)[] = [];
    const sleep = async (_ms: number, signal?: AbortSignal) => void sleeps.push(signal);
    const wait = new Wait({ now: () => 0, random: () => 1, sleep }, 6);
    for (let i = 0; i < 10; i++) {
      const change = AbortSignal.abort();
      const isTimeLeft = await wait.next(new AbortController().signal, undefined, {
        signal: change,
        end: () => ended++,
      });
      expect(isTimeLeft).toBe(true);
    }
    expect(sleeps.every((signal) => signal?.aborted)).toBe(true);
    expect(ended).toBe(10);
  });

  it("rejects with the reason of its signal", async () => {
    const leaving = new AbortController();
    const sleep = async () => leaving.abort(new Error("left"));
    const wait = new Wait({ now: () => 0, random: () => 0, sleep }, 1_000);
    await expect(wait.next(leaving.signal)).rejects.toThrow("left");
  });
});
