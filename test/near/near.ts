import { type CacheOptions, createCache, type NearCacheOptions, nearCache } from "../../src/index.js";

/** A cache with a near cache, whose round trips are counted. */
export class Near implements AsyncDisposable {
  readonly cache: ReturnType<typeof createCache>;
  readonly errors: Error[] = [];
  #roundTrips = 0;

  constructor(options: CacheOptions, near: NearCacheOptions = {}) {
    const onError = (error: unknown): void => void this.errors.push(error as Error);
    this.cache = createCache({ onError, nearCache: nearCache(near), ...options } as CacheOptions);
    this.cache.on("roundTrip", () => void this.#roundTrips++);
  }

  /** Reads a value. @returns it, and whether the process knew it */
  async read(key: string): Promise<{ readonly value: unknown; readonly isKnown: boolean }> {
    const before = this.#roundTrips;
    const value = await this.cache.get(key);
    return { value, isKnown: this.#roundTrips === before };
  }

  /** Whether the process answers reads of a key by itself. */
  async knows(key: string): Promise<boolean> {
    return (await this.read(key)).isKnown;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.cache.close();
  }
}
