import { afterEach, beforeEach, onTestFinished, vi } from "vitest";
import type { Cache } from "../../../src/cache/cache.js";
import type { CacheOptions } from "../../../src/cache/options.js";
import type { HerdOptions } from "../../../src/client/herd/options.js";
import { Envelope } from "../../../src/codec/envelope.js";
import type { ConnectionFactory } from "../../../src/core/connection.js";
import { createCache, herd, memory } from "../../../src/index.js";
import { ownPrefix, raw } from "../../contract/cache/stored.js";
import { deferred } from "../../support/deferred.js";

/** A cache of a process of its own. */
export type OpenProcess = (options?: Partial<CacheOptions>) => Cache;

/** Caches that share a store and nothing else, as those of several processes do. */
export function fleet(options: HerdOptions = {}, connectionFactory: ConnectionFactory = memory()): OpenProcess {
  const keyPrefix = ownPrefix();
  return (more) => createCache({ location: "memory:", connectionFactory, keyPrefix, client: herd(options), ...more });
}

/** As `fleet`, on a server; each cache has a connection of its own, which ends with the test. */
export function fleetOn(location: string, options: HerdOptions = {}): OpenProcess {
  const keyPrefix = ownPrefix();
  let opened = 0;
  return (more) => {
    // What differs in its configuration shares no connection.
    const commandTimeout = 5 + ++opened / 1_000;
    const cache = createCache({ location, keyPrefix, client: herd(options), commandTimeout, ...more });
    onTestFinished(() => cache.close());
    return cache;
  };
}

/** Time that passes only when told to, in all tests of a `describe`. */
export function fakeTime(): (ms: number) => Promise<void> {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });
  return async (ms) => {
    await vi.advanceTimersByTimeAsync(ms);
  };
}

/** A loader that the test ends, and which tells how often it was called. */
export interface SlowLoader<T> extends ReturnType<typeof deferred<T>> {
  (context: { readonly signal: AbortSignal; readonly stale: unknown }): Promise<T>;
  /** Of each call. */
  readonly signals: AbortSignal[];
  /** What each call was told to replace. */
  readonly stales: unknown[];
}

export function slowLoader<T>(): SlowLoader<T> {
  const end = deferred<T>();
  const signals: AbortSignal[] = [];
  const stales: unknown[] = [];
  const loader = ({ signal, stale }: { readonly signal: AbortSignal; readonly stale: unknown }) => {
    signals.push(signal);
    stales.push(stale);
    return end.promise;
  };
  return Object.assign(loader, end, { signals, stales });
}

/** The header of what is stored under a key; `undefined` when nothing is. */
export async function headerOf(cache: Cache, key: string): Promise<Envelope | undefined> {
  const reply = await raw(cache, "GET", String(cache.makeKey(key)));
  return reply instanceof Uint8Array ? new Envelope(reply, key) : undefined;
}

/** What is stored under a key, byte by byte. */
export async function bytesOf(cache: Cache, key: string): Promise<string | undefined> {
  const reply = await raw(cache, "GET", String(cache.makeKey(key)));
  return reply instanceof Uint8Array ? Buffer.from(reply).toString("latin1") : undefined;
}
