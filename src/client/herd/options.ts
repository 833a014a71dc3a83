import { type Check, checkOptions, isBoolean, isWait, isWindow, orNull } from "../../core/options.js";
import { type Duration, toMs, toWindowMs } from "../../core/time.js";

/** Options of `herd()`. Durations are seconds, or strings such as `"5m"`. */
export interface HerdOptions {
  /** How long a stale value stays after its expiry, to be returned while a new one is loaded: Django's herd timeout. @default "60s" */
  grace?: Duration | undefined;
  /** Lease duration; the holder renews it while it loads, and a crashed holder is replaced after it. @default "5s" */
  lease?: Duration | undefined;
  /** How long to wait for another caller's value; then the caller loads the value itself, and stores nothing. @default "10s" */
  waitTimeout?: Duration | undefined;
  /** How early values are refreshed before they expire, as a multiple of their load's duration; 0 never. @default 1 */
  beta?: number | undefined;
  /** Shortens each lifetime at random by up to this fraction, so that entries stored together don't expire together. @default 0 */
  jitter?: number | undefined;
  /** After a failed load, how long a stale value is returned before the next attempt. @default "5s" */
  retryAfter?: Duration | undefined;
  /** Refresh in the background and return the stale value meanwhile; otherwise the lease holder waits for its own load. @default true */
  background?: boolean | undefined;
  /** How long a loader may take unless the call has its own `hardTimeout`; `null` for no limit. @default "60s" */
  hardTimeout?: Duration | null | undefined;
}

export const herdDefaults = {
  grace: "60s",
  lease: "5s",
  waitTimeout: "10s",
  beta: 1,
  jitter: 0,
  retryAfter: "5s",
  background: true,
  hardTimeout: "60s",
} as const satisfies Required<HerdOptions>;

/** Options with every default in place, in milliseconds. */
export interface HerdSettings {
  readonly graceMs: number;
  readonly leaseMs: number;
  readonly waitMs: number;
  readonly beta: number;
  readonly jitter: number;
  readonly retryAfterMs: number;
  readonly background: boolean;
  readonly hardTimeoutMs: number;
}

const isBeta: Check = (value) =>
  typeof value === "number" && value >= 0 && value < Infinity ? undefined : "a number from 0, such as 1";
const isFraction: Check = (value) =>
  typeof value === "number" && value >= 0 && value < 1 ? undefined : "a fraction from 0 to below 1, such as 0.1";

/** @throws {ConfigurationError} on wrong options */
export function toHerdSettings(options: HerdOptions): HerdSettings {
  checkOptions<HerdOptions>("herd", options, {
    grace: isWindow,
    lease: isWait,
    waitTimeout: isWindow,
    beta: isBeta,
    jitter: isFraction,
    retryAfter: isWindow,
    background: isBoolean,
    hardTimeout: orNull(isWait),
  });
  const hardTimeout = options.hardTimeout === undefined ? herdDefaults.hardTimeout : options.hardTimeout;
  return {
    graceMs: toWindowMs(options.grace ?? herdDefaults.grace, "grace"),
    leaseMs: toMs(options.lease ?? herdDefaults.lease, "lease"),
    waitMs: toWindowMs(options.waitTimeout ?? herdDefaults.waitTimeout, "waitTimeout"),
    beta: options.beta ?? herdDefaults.beta,
    jitter: options.jitter ?? herdDefaults.jitter,
    retryAfterMs: toWindowMs(options.retryAfter ?? herdDefaults.retryAfter, "retryAfter"),
    background: options.background ?? herdDefaults.background,
    hardTimeoutMs: hardTimeout === null ? Infinity : toMs(hardTimeout, "hardTimeout"),
  };
}
