import { describe, expect, it, vi } from "vitest";
import { renewInTime } from "../../src/connection/renewal.js";
import { withDeadline } from "../../src/connection/resilience/deadline.js";
import { systemClock } from "../../src/core/time.js";
import { deferred } from "../support/deferred.js";

/** What waits for a moment that has passed. */
const WAITS: readonly [string, () => Promise<unknown>][] = [
  ["a pause", () => systemClock.sleep(-5)],
  ["a deadline", () => withDeadline(new Promise(() => {}), -5, () => new Error("late")).catch(() => {})],
  [
    "the renewal of credentials",
    () => {
      const { promise, resolve } = deferred<void>();
      const login = { username: "app", password: "secret", endsMs: Date.now() - 5 };
      const settings = {
        ...login,
        name: "the server",
        credentials: undefined,
        connectTimeoutMs: 100,
        commandTimeoutMs: 100,
      };
      renewInTime({ settings, login, authenticate: async () => {}, retire: resolve });
      return promise;
    },
  ],
];

describe("a moment that has passed", () => {
  it.each(WAITS)("ends %s at once, and no timer gets a negative delay, of which Node warns", async (_what, wait) => {
    const timers = vi.spyOn(globalThis, "setTimeout");
    await wait();
    const delays = timers.mock.calls.map(([, ms = 0]) => ms);
    expect(delays.length).toBeGreaterThan(0);
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(0);
  });
});
