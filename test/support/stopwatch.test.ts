import { setTimeout as pause } from "node:timers/promises";
import { expect, it } from "vitest";
import { stopwatch } from "./stopwatch.js";

it("a stopwatch measures how long calls take", async () => {
  const took = stopwatch();
  await pause(100);
  const ms = took();
  expect(ms).toBeGreaterThan(20);
  // Each of its steps may be late by some milliseconds that it takes for the call's.
  expect(ms).toBeLessThan(170);
  await pause(50);
  expect(took()).toBe(ms);
});

it("a stopwatch leaves out the time in which the process did not run", async () => {
  const took = stopwatch();
  const startMs = performance.now();
  for (let stalls = 0; stalls < 3; stalls++) {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
    await pause(1);
  }
  expect(performance.now() - startMs).toBeGreaterThan(300);
  expect(took()).toBeLessThan(100);
});
