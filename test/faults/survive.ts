import { expect } from "vitest";
import { type Fault, type Measured, measure } from "./fault.js";
import { keepFigures } from "./figures.js";

/** The tolerance of deadlines on a busy machine. */
const SLACK_MS = 400;
/** The longest window of the circuit breaker and the time of a dial; twice that beside other test files. */
const RECOVERY_MS = process.env.FAULT_FIGURES ? 2_000 : 4_000;

/** Measures a fault, and expects what holds for every fault. */
export async function survive(fault: Fault, limits = { recoveryMs: RECOVERY_MS }): Promise<Measured> {
  const measured = await measure(fault);
  const { load, ...figures } = measured;
  await keepFigures(figures.name, figures);
  const { deadlineMs, longestMs, recoveryMs, heapBefore, heapAfter, ...counts } = figures;
  expect(load.wrong).toEqual([]);
  expect(counts).toMatchObject({ getOrSetFailed: 0, unhandled: 0 });
  expect(longestMs - load.stalledMs).toBeLessThan(deadlineMs + SLACK_MS);
  expect(recoveryMs).toBeLessThan(limits.recoveryMs);
  expect(heapAfter - heapBefore).toBeLessThan(30);
  return measured;
}
