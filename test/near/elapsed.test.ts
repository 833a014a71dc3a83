import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Elapsed } from "../../src/near/elapsed.js";

/** Two clocks that a test sets, and how often time was reported as set back. */
function clocks() {
  const at = { monotonic: 5_000.4, wall: 1_900_000_000_000 };
  let stepsBack = 0;
  const time = new Elapsed(
    () => {
      stepsBack++;
    },
    { monotonic: () => at.monotonic, wall: () => at.wall },
  );
  return { at, time, stepsBack: () => stepsBack };
}

describe("time that has passed", () => {
  it("begins at zero, and follows both clocks", () => {
    const { at, time } = clocks();
    expect(time.now()).toBe(0);
    at.monotonic += 1_000;
    at.wall += 1_000;
    expect(time.now()).toBe(1_000);
  });

  it("goes on by the wall clock where the monotonic one stands still, as while a machine sleeps", () => {
    const { at, time, stepsBack } = clocks();
    at.wall += 3_600_000;
    expect(time.now()).toBe(3_600_000);
    expect(stepsBack()).toBe(0);
  });

  it("goes on by the monotonic clock where the wall clock stands still", () => {
    const { at, time } = clocks();
    at.monotonic += 250.5;
    expect(time.now()).toBe(250.5);
  });

  it("goes on by the monotonic clock also after the wall clock was set forward", () => {
    const { at, time } = clocks();
    at.wall += 3_600_000;
    const before = time.now();
    at.monotonic += 500;
    expect(time.now() - before).toBe(500);
  });

  it("goes on by the wall clock also after it had stood still", () => {
    const { at, time } = clocks();
    at.monotonic += 3_600_000;
    const before = time.now();
    at.wall += 500;
    expect(time.now() - before).toBe(500);
  });

  it("does not go back with the wall clock, says that it was set back, and goes on with both", () => {
    const { at, time, stepsBack } = clocks();
    at.monotonic += 10_000;
    at.wall += 10_000;
    expect(time.now()).toBe(10_000);
    at.wall -= 86_400_000;
    expect(time.now()).toBe(10_000);
    expect(stepsBack()).toBe(1);
    at.wall += 300;
    expect(time.now()).toBe(10_300);
    at.monotonic += 1_000;
    expect(time.now()).toBe(11_300);
    expect(stepsBack()).toBe(1);
  });

  it("does not run ahead of honest clocks, however often it is asked", () => {
    const at = { ms: 12_345.678 };
    const time = new Elapsed(() => {}, { monotonic: () => at.ms, wall: () => Math.floor(at.ms) });
    const from = at.ms;
    for (let i = 0; i < 50_000; i++) {
      at.ms += 0.013;
      expect(Math.abs(time.now() - (at.ms - from))).toBeLessThanOrEqual(1);
    }
  });

  it("is never younger than either clock says, by more than 2 ms, and never goes back, wherever the clocks go", () => {
    const step = fc.record({
      monotonic: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 5_000, noNaN: true }), fc.constant(3_600_000)),
      wall: fc.oneof(fc.constant(0), fc.integer({ min: -5_000, max: 5_000 }), fc.integer({ min: -1e9, max: 1e9 })),
      isAsked: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { at, time } = clocks();
        const told = [{ ...at, now: time.now() }];
        for (const { monotonic, wall, isAsked } of steps) {
          at.monotonic += monotonic;
          at.wall += wall;
          if (isAsked) told.push({ ...at, now: time.now() });
        }
        for (const [i, later] of told.entries()) {
          for (const earlier of told.slice(0, i)) {
            const passed = later.now - earlier.now;
            expect(passed).toBeGreaterThanOrEqual(0);
            expect(passed).toBeGreaterThanOrEqual(later.monotonic - earlier.monotonic - 2.001);
            expect(passed).toBeGreaterThanOrEqual(later.wall - earlier.wall - 2.001);
          }
        }
      }),
      { numRuns: 500 },
    );
  });
});
