import { type Check, checkOptions, isBoolean, isWait, isWindow, orNull } from "../../core/options.js";
import { type Duration, toMs, toWindowMs } from "../../core/time.js";

export interface HerdOptions {
  /** Grace: how long a stale value stays after its expiry, to be answered while another is computed. @default "60s" */
  timeout?: Duration;
  /** How long a holder that says nothing keeps its lease: a crashed one is replaced after this time. Renewed while it runs. @default "5s" */
  lease?: Duration;
  /** How long to wait for another caller's value; after that the caller computes for itself, and stores nothing. @default "10s" */
  wait?: Duration;
  /** How early values are refreshed before they expire, as a multiple of what their load took; 0 never. @default 1 */
  beta?: number;
  /** Shortens each lifetime by up to this part of it at random, so that what was stored together doesn't expire together. @default 0 */
  jitter?: number;
  /** After a failed load, how long a stale value is answered before the next try. @default "5s" */
  retryAfter?: Duration;
  /** Refresh in the background, and answer the stale value meanwhile; else who wins the lease waits for its own load. @default true */
  background?: boolean;
  /** How long a loader may take unless the call says otherwise; `null` for ever. @default "60s" */
  hardTimeout?: Duration | null;
}

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
const isPart: Check = (value) =>
  typeof value === "number" && value >= 0 && value < 1 ? undefined : "a part from 0 to below 1, such as 0.1";

/** @throws {ConfigurationError} on wrong options */
export function toHerdSettings(options: HerdOptions): HerdSettings {
  checkOptions<HerdOptions>("herd", options, {
    timeout: isWindow,
    lease: isWait,
    wait: isWindow,
    beta: isBeta,
    jitter: isPart,
    retryAfter: isWindow,
    background: isBoolean,
    hardTimeout: orNull(isWait),
  });
  return {
    graceMs: toWindowMs(options.timeout ?? "60s", "timeout"),
    leaseMs: toMs(options.lease ?? "5s", "lease"),
    waitMs: toWindowMs(options.wait ?? "10s", "wait"),
    beta: options.beta ?? 1,
    jitter: options.jitter ?? 0,
    retryAfterMs: toWindowMs(options.retryAfter ?? "5s", "retryAfter"),
    background: options.background ?? true,
    hardTimeoutMs: options.hardTimeout === null ? Infinity : toMs(options.hardTimeout ?? "60s", "hardTimeout"),
  };
}
