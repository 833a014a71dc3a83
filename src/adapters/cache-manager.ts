import type { Loader } from "../client/client.js";
import { ConfigurationError } from "../core/errors.js";
import { type Check, checkOptions, isBoolean } from "../core/options.js";
import type { Duration } from "../core/time.js";

/** Options of `fleetWrap`: those of cache-manager's `createCache`, so that both can have the same object. Times are milliseconds, as there. */
export interface FleetWrapOptions {
  /** Lifetime of values in milliseconds, for calls of `wrap` without one; 0 never expires. @default the one of the `Keyv` */
  ttl?: number | undefined;
  /** Below how much remaining lifetime, in milliseconds, `wrap` answers a value and refreshes it in the background. @default never */
  refreshThreshold?: number | undefined;
  /** Whether a refresh also writes to the stores behind that of this package. @default false */
  refreshAllStores?: boolean | undefined;
  /** Has no effect here. */
  stores?: unknown;
  /** Has no effect here. */
  nonBlocking?: boolean | undefined;
  /** Has no effect here. */
  cacheId?: string | undefined;
}

/** What `fleetWrap` uses of a cache of cache-manager 7. */
export interface CacheManagerCache {
  readonly stores: readonly CacheManagerKeyv[];
  wrap(key: string, load: () => unknown, ...options: readonly never[]): Promise<unknown>;
  off(event: "refresh", listener: () => void): { emit(event: string, data: unknown): unknown };
}

/** What `fleetWrap` uses of a `Keyv`. */
export interface CacheManagerKeyv {
  readonly store: unknown;
  readonly ttl: number | undefined;
  get(key: string, options: { raw: true }): Promise<RawValue | undefined>;
  set(key: string, value: unknown, ttl?: number): Promise<unknown>;
  serializeData(data: RawValue): Promise<unknown>;
  deserializeData(text: string): Promise<RawValue | undefined>;
  /** The key as Keyv gives it to its store. */
  _getKeyPrefix(key: string): string;
}

/** A value as Keyv stores it; `expires` is in milliseconds since the epoch. */
export interface RawValue {
  value?: unknown;
  expires?: number | undefined;
}

/** A store of Keyv that loads a missing value once for all callers. */
export interface FleetStore {
  load(
    key: string,
    loader: Loader<string | undefined>,
    options: { readonly forceRefresh: boolean },
  ): Promise<string | undefined>;
}

/** The lifetime for milliseconds of Keyv's, where 0 never expires. As a string, since numbers are seconds in this package. */
export function lifetimeOf(ttlMs: number | undefined, otherwise: Duration | null): Duration | null {
  if (ttlMs === undefined || ttlMs === null) return otherwise;
  // Keyv takes 0 for no lifetime. What is beyond every clock is none, either.
  return ttlMs === 0 || !(ttlMs < MAX_MS) ? null : `${ttlMs}ms`;
}

const MAX_MS = 1e15;

/** In milliseconds, or a function of the value. */
type Ms = number | undefined | ((value: unknown) => number | undefined);

interface WrapOptions {
  readonly ttl?: Ms;
  readonly refreshThreshold?: Ms;
  readonly raw?: boolean;
}

const isMs: Check = (value) =>
  typeof value === "number" && value >= 0 ? undefined : "milliseconds as a number from 0, as cache-manager counts";

/**
 * A cache of cache-manager 7 whose `wrap` loads a missing value once: in the process, and with `herd()` in the whole fleet.
 * One of its stores is a `keyvStore()`. All other methods are those of the given cache, over the same entries.
 * @throws {ConfigurationError} on wrong options, and where no store is a `keyvStore()`
 * @example
 * const store = keyvStore({ location: "valkey://localhost:6379", client: herd() });
 * const cache = fleetWrap(createCache({ stores: [new Keyv({ store })] }));
 * const user = await cache.wrap("user:7", () => db.user("7"), 60_000); // milliseconds
 */
export function fleetWrap<C extends CacheManagerCache>(cache: C, options: FleetWrapOptions = {}): C {
  checkOptions<FleetWrapOptions>("fleetWrap", options, {
    ttl: isMs,
    refreshThreshold: isMs,
    refreshAllStores: isBoolean,
    stores: null,
    nonBlocking: null,
    cacheId: null,
  });
  const fleet = new FleetWrap(cache, options);
  const wrap = (key: string, load: () => unknown, ttl?: Ms | WrapOptions, refreshThreshold?: Ms): Promise<unknown> =>
    fleet.wrap(key, load, typeof ttl === "object" && ttl !== null ? ttl : { ttl, refreshThreshold });
  return { ...cache, wrap };
}

class FleetWrap {
  readonly #before: readonly CacheManagerKeyv[];
  readonly #keyv: CacheManagerKeyv;
  readonly #store: FleetStore;
  readonly #behind: readonly CacheManagerKeyv[];
  readonly #options: FleetWrapOptions;
  readonly #emit: (event: "set" | "refresh", data: object) => void;
  /** Calls that are under way, by key. */
  readonly #calls = new Map<string, Promise<RawValue | undefined>>();
  readonly #refreshing = new Set<string>();

  constructor(cache: CacheManagerCache, options: FleetWrapOptions) {
    const at = cache.stores.findIndex(({ store }) => isFleetStore(store));
    const keyv = cache.stores[at];
    if (!keyv || !isFleetStore(keyv.store)) {
      throw new ConfigurationError(
        "fleetWrap: none of the cache's stores loads for a fleet; give createCache({ stores: [new Keyv({ store: keyvStore(…) })] })",
      );
    }
    this.#before = cache.stores.slice(0, at);
    this.#keyv = keyv;
    this.#store = keyv.store;
    this.#behind = cache.stores.slice(at + 1);
    this.#options = options;
    // It returns the emitter, which a cache shows nowhere else.
    const emitter = cache.off("refresh", () => {});
    this.#emit = (event, data) => void emitter.emit(event, data);
  }

  async wrap(key: string, load: () => unknown, options: WrapOptions): Promise<unknown> {
    let call = this.#calls.get(key);
    if (!call) {
      call = this.#answer(key, load, options).finally(() => this.#calls.delete(key));
      this.#calls.set(key, call);
    }
    const found = await call;
    return options.raw ? found : found?.value;
  }

  async #answer(key: string, load: () => unknown, options: WrapOptions): Promise<RawValue | undefined> {
    for (const [i, keyv] of this.#before.entries()) {
      const found = await lookUp(keyv, key);
      if (!found) continue;
      if (this.#isDue(found, options)) this.#refresh(key, load, options, found);
      else await this.#fill(this.#before.slice(0, i), key, found);
      return found;
    }
    const { found, isLoaded } = await this.#load(key, load, options, false);
    if (!found) return undefined;
    await this.#fill(isLoaded ? [...this.#before, ...this.#behind] : this.#before, key, found);
    if (isLoaded) this.#emit("set", { key, value: found.value });
    else if (this.#isDue(found, options)) this.#refresh(key, load, options, found);
    return found;
  }

  /** @returns the value of the entry, and whether this call has loaded it @throws what `load` throws */
  async #load(key: string, load: () => unknown, options: WrapOptions, forceRefresh: boolean) {
    let isLoaded = false;
    const text = await this.#store.load(
      this.#keyv._getKeyPrefix(key),
      async ({ ttl, stale }) => {
        // Another process may have refreshed it since this one has read it.
        const now = forceRefresh && stale !== undefined ? await this.#keyv.deserializeData(stale) : undefined;
        if (now?.expires !== undefined && !this.#isDue(now, options)) return this.#textOf(now, ttl);
        for (const keyv of forceRefresh ? [] : this.#behind) {
          const found = await lookUp(keyv, key);
          if (found) return this.#textOf(found, ttl);
        }
        isLoaded = true;
        const value = await load();
        if (value === undefined) return undefined;
        const ttlMs = (msFor(options.ttl, value) ?? this.#options.ttl ?? this.#keyv.ttl) || undefined;
        return this.#textOf({ value, expires: ttlMs && Date.now() + ttlMs }, ttl);
      },
      { forceRefresh },
    );
    return { found: text === undefined ? undefined : await this.#keyv.deserializeData(text), isLoaded };
  }

  /** What Keyv's `get` reads, too. */
  async #textOf(found: RawValue, setLifetime: (ttl: Duration | null) => void): Promise<string> {
    const leftMs = (found.expires ?? Infinity) - Date.now();
    if (leftMs < Infinity) setLifetime(leftMs > 0 ? `${leftMs}ms` : 0);
    return String(await this.#keyv.serializeData(found));
  }

  #isDue({ value, expires }: RawValue, { refreshThreshold }: WrapOptions): boolean {
    const thresholdMs = msFor(refreshThreshold, value) ?? this.#options.refreshThreshold;
    if (thresholdMs === undefined || typeof expires !== "number") return false;
    const remainingMs = expires - Date.now();
    // A stale value is refreshed by herd() itself.
    return remainingMs > 0 && remainingMs < thresholdMs;
  }

  #refresh(key: string, load: () => unknown, options: WrapOptions, old: RawValue): void {
    if (this.#refreshing.has(key)) return;
    this.#refreshing.add(key);
    const others = this.#options.refreshAllStores ? [...this.#before, ...this.#behind] : this.#before;
    const refresh = async (): Promise<void> => {
      const { found } = await this.#load(key, load, options, true);
      if (found) await this.#fill(others, key, found);
      this.#emit("refresh", { key, value: found?.value });
    };
    refresh()
      .catch((error: unknown) => this.#emit("refresh", { key, value: old.value, error }))
      .finally(() => this.#refreshing.delete(key));
  }

  /** Writes a value to other stores, for what is left of its lifetime. */
  async #fill(stores: readonly CacheManagerKeyv[], key: string, { value, expires }: RawValue): Promise<void> {
    const ttlMs = typeof expires === "number" ? Math.max(1, expires - Date.now()) : 0;
    const write = async (keyv: CacheManagerKeyv): Promise<void> => {
      try {
        await keyv.set(key, value, ttlMs);
      } catch (error) {
        this.#emit("set", { key, value, error });
      }
    };
    await Promise.all(stores.map(write));
  }
}

function isFleetStore(store: unknown): store is FleetStore {
  return typeof store === "object" && store !== null && typeof Reflect.get(store, "load") === "function";
}

/** What a store has; nothing where it fails, as in cache-manager. */
async function lookUp(keyv: CacheManagerKeyv, key: string): Promise<RawValue | undefined> {
  try {
    const found = await keyv.get(key, { raw: true });
    return found?.value === undefined ? undefined : found;
  } catch {
    return undefined;
  }
}

function msFor(given: Ms, value: unknown): number | undefined {
  return typeof given === "function" ? given(value) : given;
}
