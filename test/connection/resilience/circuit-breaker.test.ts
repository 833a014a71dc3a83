import fc from "fast-check";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { iovalkeyFactory } from "../../../src/connection/iovalkey/factory.js";
import { CircuitBreaker } from "../../../src/connection/resilience/circuit-breaker.js";
import { PROCESS } from "../../../src/core/connection.js";
import { ConnectionError, TimeoutError } from "../../../src/core/errors.js";
import { parseLocation } from "../../../src/core/location.js";
import { fakeConnection } from "../fake-connection.js";

const PROBE_MS = 4_000;
const LONGEST_MS = 1_000;

/** A clock that tests advance, without jitter by default. */
function testClock(random = 0.999) {
  const clock = { nowMs: 1_000_000, now: () => clock.nowMs, random: () => random, sleep: async () => {} };
  return clock;
}

const lost = (message = "lost") => new ConnectionError(message);

describe("a circuit breaker", () => {
  let clock: ReturnType<typeof testClock>;
  let breaker: CircuitBreaker;
  beforeEach(() => {
    clock = testClock();
    breaker = new CircuitBreaker("valkey://test", clock, PROBE_MS);
  });

  const failOnce = (error = lost()) => breaker.failed(breaker.admit(), error);
  const open = () => {
    while (breaker.state === "closed") failOnce();
  };

  it("admits calls and stays closed after one or two failures", () => {
    failOnce();
    failOnce();
    expect(breaker.state).toBe("closed");
    expect(() => breaker.admit()).not.toThrow();
  });

  it("opens after three failures in a row, and refuses calls with the last failure as the cause", () => {
    failOnce();
    failOnce();
    const last = new TimeoutError("no answer");
    expect(failOnce(last)).toBe(true);
    expect(breaker.state).toBe("open");
    expect(() => breaker.admit()).toThrow(ConnectionError);
    expect(() => breaker.admit()).toThrow(expect.objectContaining({ cause: last }));
    expect(() => breaker.admit()).toThrow(/valkey:\/\/test failed 3 times in a row.*no answer/);
  });

  it("starts counting failures again after each success", () => {
    for (let i = 0; i < 10; i++) {
      failOnce();
      failOnce();
      breaker.succeeded();
    }
    expect(breaker.state).toBe("closed");
    expect(breaker.lastError).toBeUndefined();
  });

  it("counts calls that fail together as one failure", () => {
    const together = Array.from({ length: 50 }, () => breaker.admit());
    for (const generation of together) breaker.failed(generation, lost());
    expect(breaker.state).toBe("closed");
    failOnce();
    failOnce();
    expect(breaker.state).toBe("open");
  });

  it("opens after one failed dial", () => {
    breaker.dialFailed(lost("refused"));
    expect(breaker.state).toBe("open");
    expect(() => breaker.admit()).toThrow(/valkey:\/\/test failed, so.*refused/);
  });

  it("admits one probe after a window, and refuses other calls until the probe ends", () => {
    open();
    clock.nowMs += 100;
    expect(breaker.state).toBe("half-open");
    const probe = breaker.admit();
    expect(() => breaker.admit()).toThrow(ConnectionError);
    expect(breaker.state).toBe("half-open");
    breaker.succeeded();
    expect(breaker.state).toBe("closed");
    expect(() => breaker.admit()).not.toThrow();
    expect(breaker.failed(probe, lost())).toBe(false);
  });

  it("ignores the failure of a call that began before it opened", () => {
    const early = breaker.admit();
    open();
    clock.nowMs += 100;
    breaker.admit();
    expect(breaker.failed(early, lost())).toBe(false);
    expect(breaker.state).toBe("half-open");
  });

  it("has four short windows, then doubles them up to a second, and starts again after a success", () => {
    open();
    const windows: number[] = [];
    for (let i = 0; i < 9; i++) {
      const startMs = clock.nowMs;
      while (breaker.state === "open") clock.nowMs++;
      windows.push(clock.nowMs - startMs);
      failOnce();
    }
    expect(windows).toEqual([100, 100, 100, 100, 200, 400, 800, LONGEST_MS, LONGEST_MS]);
    breaker.succeeded();
    open();
    clock.nowMs += 100;
    expect(breaker.state).toBe("half-open");
  });

  it("spreads its windows at random", () => {
    const windows = [0, 0.5, 0.999].map((random) => {
      const own = testClock(random);
      const one = new CircuitBreaker("x", own, PROBE_MS);
      one.dialFailed(lost());
      const startMs = own.nowMs;
      while (one.state === "open") own.nowMs++;
      return own.nowMs - startMs;
    });
    expect(windows).toEqual([50, 75, 100]);
  });

  it("admits another probe when a probe never ends", () => {
    open();
    clock.nowMs += 100;
    breaker.admit();
    clock.nowMs += PROBE_MS - 1;
    expect(() => breaker.admit()).toThrow(ConnectionError);
    clock.nowMs += 1;
    expect(() => breaker.admit()).not.toThrow();
  });

  it("admits another probe when a probe was released without an outcome", () => {
    open();
    clock.nowMs += 100;
    breaker.released(breaker.admit());
    expect(() => breaker.admit()).not.toThrow();
  });

  it("admits a probe at once when recovery is expected, and stays closed if it was closed", () => {
    breaker.expectRecovery();
    expect(breaker.state).toBe("closed");
    open();
    breaker.expectRecovery();
    expect(breaker.state).toBe("half-open");
    breaker.admit();
    expect(() => breaker.admit()).toThrow(ConnectionError);
  });

  it("refuses calls for at most twice its longest window, however the clock is set", () => {
    const steps = fc.array(
      fc.oneof(
        fc.record({ pass: fc.integer({ min: 1, max: 500 }) }),
        fc.record({ set: fc.integer({ min: -1e7, max: 1e7 }) }),
      ),
      { maxLength: 100 },
    );
    fc.assert(
      fc.property(steps, (all) => {
        const own = testClock();
        const one = new CircuitBreaker("x", own, PROBE_MS);
        one.dialFailed(lost());
        let refusedMs = 0;
        for (const step of all) {
          own.nowMs += "pass" in step ? step.pass : step.set;
          refusedMs += "pass" in step ? step.pass : 0;
          try {
            one.failed(one.admit(), lost());
            refusedMs = 0;
          } catch {
            // A clock that is set repeatedly may end each window late, but none twice.
            if (!all.some((other) => "set" in other)) expect(refusedMs).toBeLessThanOrEqual(LONGEST_MS + 500);
          }
        }
        // Passing time is always enough for a probe.
        for (let i = 0; i < 2 * LONGEST_MS && one.state !== "half-open"; i++) own.nowMs++;
        expect(one.state).toBe("half-open");
      }),
    );
  });
});

describe("connections of single requests", () => {
  it("share what is known about a server that fails and recovers", async () => {
    vi.stubGlobal("navigator", { userAgent: "Cloudflare-Workers" });
    let isGone = true;
    const open = vi.fn(async () => {
      if (isGone) throw new ConnectionError("refused");
      return fakeConnection();
    });
    const factory = iovalkeyFactory({}, open);
    const ask = async () => {
      await using connection = factory.connect(parseLocation("valkey://test"), { ...PROCESS, scope: "request" });
      return await connection.send([["PING"]]);
    };
    const start = Date.now();
    const now = vi.spyOn(Date, "now").mockReturnValue(start);
    for (let i = 0; i < 5; i++) await expect(ask()).rejects.toThrow("refused");
    expect(open).toHaveBeenCalledTimes(1);
    isGone = false;
    now.mockReturnValue(start + 100);
    for (let i = 0; i < 5; i++) expect(await ask()).toEqual(["PONG"]);
    expect(open).toHaveBeenCalledTimes(6);
  });
});
