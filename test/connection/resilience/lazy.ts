import { vi } from "vitest";
import type { DialerOptions } from "../../../src/connection/resilience/dialer.js";
import { LazyConnection } from "../../../src/connection/resilience/lazy-connection.js";
import type { Connection } from "../../../src/core/connection.js";
import { ConnectionError } from "../../../src/core/errors.js";
import { systemClock } from "../../../src/core/time.js";

export const PING = [["PING"]] as const;
export const IDEMPOTENT = { idempotent: true };
export const refused = () => new ConnectionError("refused");

/** A lazy connection whose timeouts are 1 s for dialling and 0.5 s for commands. */
export function lazy(dial: () => Promise<Connection>, options: Partial<DialerOptions> = {}): LazyConnection {
  return new LazyConnection(dial, {
    name: "valkey://test",
    connectTimeoutMs: 1_000,
    commandTimeoutMs: 500,
    maxIdleMs: 60_000,
    redial: true,
    clock: systemClock,
    ...options,
  });
}

/** The outcome of a promise after the fake time has moved on by `ms`. */
export async function settledAfter<T>(ms: number, promise: Promise<T>): Promise<PromiseSettledResult<T> | "pending"> {
  let settled: PromiseSettledResult<T> | "pending" = "pending";
  promise.then(
    (value) => (settled = { status: "fulfilled", value }),
    (reason) => (settled = { status: "rejected", reason }),
  );
  await vi.advanceTimersByTimeAsync(ms);
  return settled;
}
