import type { Cache } from "../../../src/cache/cache.js";
import type { CacheOptions } from "../../../src/cache/options.js";
import type { HerdOptions } from "../../../src/client/herd/options.js";
import { type Envelope, readEnvelope } from "../../../src/codec/envelope.js";
import type { ConnectionFactory } from "../../../src/core/connection.js";
import { deferred } from "../../support/deferred.js";
import { raw } from "../cache/stored.js";
import type { Thrown } from "../thrown.js";

/** A cache of a process of its own. */
export type OpenProcess = (options?: Partial<CacheOptions>) => Cache;

/** What the suites of the herd client run over. */
export interface Fleets {
  /**
   * Caches that share a store and nothing else, as those of several processes do.
   *
   * @param watch comes between the caches and the store
   */
  fleet(options?: HerdOptions, watch?: (factory: ConnectionFactory) => ConnectionFactory): OpenProcess;
  /** Time that passes only when told to, the store's too, in all tests of a `describe`. */
  fakeTime(): (ms: number) => Promise<void>;
  /** What failing code throws. How the client handles that does not depend on the store, so a server has only a few. */
  readonly throwable: Thrown;
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
  return reply instanceof Uint8Array ? readEnvelope(reply, key) : undefined;
}

/** What is stored under a key, byte by byte. */
export async function bytesOf(cache: Cache, key: string): Promise<string | undefined> {
  const reply = await raw(cache, "GET", String(cache.makeKey(key)));
  return reply instanceof Uint8Array ? Buffer.from(reply).toString("latin1") : undefined;
}
