import { acquire, type Lock } from "../client/lock.js";
import { type Invocation, PROCESS } from "../core/connection.js";
import { ConfigurationError } from "../core/errors.js";
import { compileGlob } from "../core/glob.js";
import { defaultKeyFunction, makePattern } from "../core/key.js";
import { type Duration, toWindowMs } from "../core/time.js";
import type { KeyOptions } from "./base.js";
import { Hashes } from "./hashes.js";
import { type Health, health } from "./health.js";
import type { CacheOptions } from "./options.js";
import { type ChooseFactory, toSettings } from "./settings.js";

export interface ScanOptions extends KeyOptions {
  /** How many keys the server looks at for each batch. @default the cache's `scanCount` */
  scanCount?: number;
}

export interface DeletePatternOptions extends ScanOptions {
  /** Told after each batch how many entries are deleted so far. @default nobody */
  onProgress?: (deleted: number) => void;
}

export interface LockOptions extends Pick<KeyOptions, "prefix"> {
  /** How long it is held when it is never released. @default "30s" */
  ttl?: Duration;
  /** How long to wait until it is free. @default 0 */
  wait?: Duration;
  /** How often to try meanwhile. @default "100ms" */
  retryEvery?: Duration;
}

export interface InvocationOptions {
  /** Keeps the host running until the promise settles, such as a Worker's `ctx.waitUntil`. @default nothing is kept running */
  waitUntil?: (work: Promise<unknown>) => void;
  /** Fires when nobody wants the answer any more, such as a request's `signal`. @default never */
  signal?: AbortSignal;
}

/** A cache kept in Valkey. */
export class Cache extends Hashes {
  /**
   * A view of this cache for one invocation: a request, or a function call. Made without I/O; close it when the work is
   * done. Where the host's sockets belong to one request, it has a connection of its own, dialled by its first command.
   */
  for(invocation: InvocationOptions = {}): Cache {
    const { waitUntil, signal } = invocation;
    const { settings } = this;
    const work: Invocation = { scope: "request", waitUntil: (promise) => waitUntil?.(promise), signal };
    return new Cache(settings, work, settings.sharesConnection ? this : undefined);
  }

  /** How the store is: asks it, and answers rather than throws when it fails. @throws {ConnectionError} when the cache was closed */
  health(): Promise<Health> {
    return health(this.connection);
  }

  /** The user's keys that match a glob, each once. */
  async keys(pattern = "*", options: ScanOptions = {}): Promise<string[]> {
    const keys = new Set<string>();
    for await (const key of this.iterKeys(pattern, options)) keys.add(key);
    return [...keys];
  }

  /** The user's keys that match a glob, batch by batch; a key may come twice. Can be left early. */
  async *iterKeys(pattern = "*", options: ScanOptions = {}): AsyncIterable<string> {
    const glob = this.makePattern(pattern, options);
    try {
      for await (const batch of this.client.scan(glob, options.scanCount ?? this.settings.scanCount)) {
        for (const key of batch) yield this.reverse(key, options);
      }
    } catch (error) {
      await this.guard("iterKeys", glob, undefined, Promise.reject(error));
    }
  }

  /** Deletes every entry whose key matches a glob, in batches. How many. @throws TypeError on an empty pattern */
  async deletePattern(pattern: string, options: DeletePatternOptions = {}): Promise<number> {
    return this.#deleteMatching("deletePattern", this.makePattern(pattern, options), () => true, options);
  }

  /** Deletes every entry of this cache's prefix, whatever its version. How many. Locks stay. */
  async clear(options: Omit<DeletePatternOptions, "version"> = {}): Promise<number> {
    const { keyFunction } = this.settings;
    const prefix = this.prefix(options);
    const pattern = makePattern(keyFunction, "*", prefix, "*");
    if (/^\**$/.test(pattern)) {
      throw new ConfigurationError(
        "clear: with this keyFunction every key of the database matches; put the prefix into keys, or use flush()",
      );
    }
    return this.#deleteMatching("clear", pattern, this.#owns(prefix), options);
  }

  /** Deletes everything in the database, whosever it is. */
  async flush(): Promise<void> {
    await this.guard("flush", "", undefined, this.client.flush());
  }

  /**
   * Takes a lock in the whole fleet; `undefined` when it is not free within `wait`. `await using` releases it.
   * A name that an entry has, too, does not collide with it.
   */
  async lock(
    name: string,
    { ttl = "30s", wait = 0, retryEvery = "100ms", ...options }: LockOptions = {},
  ): Promise<Lock | undefined> {
    const key = this.lockKey(name, options);
    const ttlMs = toWindowMs(ttl, "ttl");
    if (ttlMs === 0) throw new TypeError("ttl: a lock needs a lifetime; give a duration above 0");
    const times = { ttlMs, waitMs: toWindowMs(wait, "wait"), retryEveryMs: toWindowMs(retryEvery, "retryEvery") };
    return this.guard("lock", key, undefined, acquire(this.context, key, times));
  }

  #deleteMatching(
    method: string,
    pattern: string,
    owns: (key: string) => boolean,
    { scanCount, onProgress }: DeletePatternOptions,
  ): Promise<number> {
    const count = scanCount ?? this.settings.scanCount;
    return this.guard(method, pattern, 0, this.client.deletePattern(pattern, { count, owns, onProgress }));
  }

  /** Patterns can't say "a number", so `a:*:*` also finds what the prefix `a:b` owns, and locks. */
  #owns(prefix: string): (key: string) => boolean {
    const { keyFunction } = this.settings;
    if (keyFunction === defaultKeyFunction) {
      return (key) => /^-?\d+:/.test(key.slice(prefix.length + 1));
    }
    const locks = makePattern(keyFunction, "*", prefix, "lock");
    // A function that leaves the version out has no locks.
    if (locks === makePattern(keyFunction, "*", prefix, "*")) return () => true;
    const isLock = compileGlob(locks);
    return (key) => !isLock(key);
  }
}

/** Makes a cache. No I/O. @throws {ConfigurationError} on wrong options */
export function makeCache(options: CacheOptions, choose: ChooseFactory): Cache {
  return new Cache(toSettings(options, choose), PROCESS);
}
