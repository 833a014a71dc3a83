import type { Script, Twin, Twins } from "../core/connection.js";
import { type Duration, toMs } from "../core/time.js";
import { text } from "../lease/state.js";
import type { ClientContext } from "./client.js";

/**
 * Takes KEYS[1] for the token ARGV[1] and ARGV[2] milliseconds. A script, as a user who may run none could not release the
 * lock. Reply: 1, or 0 when it is held.
 */
export const ACQUIRE: Script = {
  name: "acquire",
  lua: `return redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) and 1 or 0`,
};

const acquireTwin: Twin = (call, [key = ""], [token = "", ttlMs = "0"]) =>
  call("SET", key, token, "NX", "PX", ttlMs) === null ? 0 : 1;

/** Deletes KEYS[1] while it is the token ARGV[1]. Reply: 1 or 0. */
export const RELEASE: Script = {
  name: "release",
  lua: `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0`,
};

const releaseTwin: Twin = (call, [key = ""], [token = ""]) =>
  text(call("GET", key)) === text(token) ? call("DEL", key) : 0;

/** Gives KEYS[1] ARGV[2] milliseconds from now while it is the token ARGV[1]. Reply: 1 or 0. */
export const EXTEND: Script = {
  name: "extend",
  lua: `if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 0`,
};

const extendTwin: Twin = (call, [key = ""], [token = "", ttlMs = "0"]) =>
  text(call("GET", key)) === text(token) ? call("PEXPIRE", key, ttlMs) : 0;

/** What a lock needs of its cache. */
export type LockContext = Pick<ClientContext, "connection" | "clock" | "forgive">;

export interface AcquireOptions {
  readonly ttlMs: number;
  readonly waitMs: number;
  readonly retryEveryMs: number;
  /** Ends the wait, with the signal's reason. */
  readonly signal: AbortSignal | undefined;
}

/**
 * A lock that is held until it is released or its lifetime ends. `await using` releases it.
 * @example
 * await using lock = await cache.lock("nightly", { ttl: "1m" });
 * if (lock) await lock.extend("5m");
 */
export class Lock implements AsyncDisposable {
  readonly #context: LockContext;
  readonly #key: string;
  readonly #token: string;

  constructor(context: LockContext, key: string, token: string) {
    this.#context = context;
    this.#key = key;
    this.#token = token;
  }

  /** Releases the lock. @returns whether it was still held */
  release(): Promise<boolean> {
    return this.#whileHeld(RELEASE);
  }

  /**
   * Extends the lock to `ttl` from now: seconds, or a duration such as `"1m"`.
   * @returns whether it was still held
   * @throws TypeError when `ttl` is not a duration above 0
   */
  async extend(ttl: Duration): Promise<boolean> {
    const ttlMs = toMs(ttl, "ttl");
    if (ttlMs <= 0)
      throw new TypeError("ttl: a lock can't be extended by nothing; give a duration above 0, or release it");
    return this.#whileHeld(EXTEND, String(ttlMs));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }

  async #whileHeld(script: Script, ...args: readonly string[]): Promise<boolean> {
    try {
      return (await this.#context.connection.script(script, [this.#key], [this.#token, ...args])) === 1;
    } catch (error) {
      this.#context.forgive(error, "lock", this.#key);
      return false;
    }
  }
}

/** Takes the lock as soon as it is free; `undefined` when it is not free within `waitMs`. */
export async function acquire(
  context: LockContext,
  key: string,
  { ttlMs, waitMs, retryEveryMs, signal }: AcquireOptions,
): Promise<Lock | undefined> {
  const { connection, clock } = context;
  const token = crypto.randomUUID();
  const untilMs = clock.now() + waitMs;
  for (;;) {
    if ((await connection.script(ACQUIRE, [key], [token, String(ttlMs)])) === 1) return new Lock(context, key, token);
    const leftMs = untilMs - clock.now();
    if (leftMs <= 0) return undefined;
    // Half of the pause is random, so that waiting callers don't try in step.
    await clock.sleep(Math.min(leftMs, retryEveryMs * (0.5 + clock.random() / 2)), signal);
    signal?.throwIfAborted();
  }
}

/** The twins of these scripts. */
export const lockTwins: Twins = new Map([
  [ACQUIRE, acquireTwin],
  [RELEASE, releaseTwin],
  [EXTEND, extendTwin],
]);
