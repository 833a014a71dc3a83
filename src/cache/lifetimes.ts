import { show } from "../core/errors.js";
import type { Key } from "../core/key.js";
import { type Duration, toMs } from "../core/time.js";
import { CacheBase, type KeyOptions } from "./base.js";

/** Methods on how long entries live. */
export abstract class Lifetimes extends CacheBase {
  /** Seconds left; `null` when it never expires; `undefined` when there is no entry. */
  async ttl(key: Key, options: KeyOptions = {}): Promise<number | null | undefined> {
    const ms = await this.pttl(key, options);
    return typeof ms === "number" ? ms / 1_000 : ms;
  }

  /** As `ttl`, in milliseconds. */
  async pttl(key: Key, options: KeyOptions = {}): Promise<number | null | undefined> {
    const made = this.made(key, options);
    return this.guard("pttl", made, undefined, this.client.pttl(made));
  }

  /** Gives an entry a new lifetime; `null` for ever, 0 or less ends it. Whether there was one. */
  async touch(key: Key, ttl?: Duration | null, options: KeyOptions = {}): Promise<boolean> {
    const made = this.made(key, options);
    return this.guard("touch", made, false, this.client.touch(made, this.ttlMs(ttl)));
  }

  /** As `touch`, with a lifetime that must be given. */
  async expire(key: Key, ttl: Duration, options: KeyOptions = {}): Promise<boolean> {
    const made = this.made(key, options);
    return this.guard("expire", made, false, this.client.touch(made, toMs(ttl, "ttl")));
  }

  /** As `expire`, in milliseconds. */
  async pexpire(key: Key, ttlMs: number, options: KeyOptions = {}): Promise<boolean> {
    return this.expire(key, ttlMs / 1_000, options);
  }

  /** Ends an entry at a moment: a `Date`, or seconds since the epoch. Whether there was one. */
  async expireAt(key: Key, at: Date | number, options: KeyOptions = {}): Promise<boolean> {
    return this.pexpireAt(key, typeof at === "number" ? at * 1_000 : at, options);
  }

  /** As `expireAt`; numbers are milliseconds since the epoch. */
  async pexpireAt(key: Key, at: Date | number, options: KeyOptions = {}): Promise<boolean> {
    const made = this.made(key, options);
    const atMs: unknown = at instanceof Date ? at.getTime() : at;
    if (typeof atMs !== "number" || !Number.isSafeInteger(Math.round(atMs)))
      throw new TypeError(`at: ${show(at)} is not a moment; give a Date, or a number since the epoch`);
    return this.guard("expireAt", made, false, this.client.expireAt(made, Math.round(atMs)));
  }

  /** Takes the lifetime away. Whether there was one. */
  async persist(key: Key, options: KeyOptions = {}): Promise<boolean> {
    const made = this.made(key, options);
    return this.guard("persist", made, false, this.client.persist(made));
  }
}
