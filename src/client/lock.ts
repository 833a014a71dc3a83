import type { Clock } from "../core/clock.js";
import type { Connection } from "../core/connection.js";
import { type Duration, toMs } from "../core/duration.js";
import { throwIfError } from "../core/errors.js";
import { EXTEND, RELEASE } from "./scripts/locks.js";

export interface AcquireOptions {
  readonly ttlMs: number;
  readonly waitMs: number;
  readonly retryEveryMs: number;
}

/** A lock that is held until it is released, or its time is over. `await using` releases it. */
export class Lock implements AsyncDisposable {
  readonly #connection: Connection;
  readonly #key: string;
  readonly #token: string;

  constructor(connection: Connection, key: string, token: string) {
    this.#connection = connection;
    this.#key = key;
    this.#token = token;
  }

  /** Whether it was still held. */
  async release(): Promise<boolean> {
    return (await this.#connection.script(RELEASE, [this.#key], [this.#token])) === 1;
  }

  /** Holds it for `ttl` from now on. Whether it was still held. @throws TypeError on what is no duration above 0 */
  async extend(ttl: Duration): Promise<boolean> {
    const ttlMs = toMs(ttl, "ttl");
    if (ttlMs <= 0)
      throw new TypeError("ttl: a lock can't be extended by nothing; give a duration above 0, or release it");
    return (await this.#connection.script(EXTEND, [this.#key], [this.#token, String(ttlMs)])) === 1;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }
}

/** Takes the lock as soon as it is free; `undefined` when it is not free within the wait. */
export async function acquire(
  connection: Connection,
  clock: Clock,
  key: string,
  { ttlMs, waitMs, retryEveryMs }: AcquireOptions,
): Promise<Lock | undefined> {
  const token = crypto.randomUUID();
  const untilMs = clock.now() + waitMs;
  for (;;) {
    const [reply = null] = await connection.send([["SET", key, token, "NX", "PX", String(ttlMs)]]);
    if (throwIfError(reply) !== null) return new Lock(connection, key, token);
    const leftMs = untilMs - clock.now();
    if (leftMs <= 0) return undefined;
    // Half of it at random, so that those who wait don't ask in step.
    await clock.sleep(Math.min(leftMs, retryEveryMs * (0.5 + clock.random() / 2)));
  }
}
