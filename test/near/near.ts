import { type CacheOptions, createCache, type NearCacheOptions, nearCache } from "../../src/index.js";
import { command } from "../support/command.js";
import { until } from "../support/wait.js";

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

  /** Writes a value, and reads it until the process knows it. */
  async keep(key: string, value: unknown, timeoutMs = 10_000): Promise<void> {
    await until(() => this.cache.set(key, value), { what: `${key} to be written`, timeoutMs });
    await until(() => this.knows(key), { what: `${key} to be kept`, timeoutMs });
  }

  /** Reads until the value is this one. */
  async sees(key: string, value: unknown, timeoutMs = 5_000): Promise<void> {
    const isSeen = async () => (await this.cache.get(key)) === value;
    await until(isSeen, { what: `${key} to be ${String(value)}`, timeoutMs });
  }

  async health() {
    const { nearCache: health } = await this.cache.health();
    if (!health) throw new Error("there is no near cache");
    return health;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.cache.close();
  }
}

/** The numbers of the connections of near caches that listen at a server. */
export async function listenersAt(port: number): Promise<string[]> {
  const clients = String(await command(port, ["CLIENT", "LIST"])).split("\n");
  return clients.flatMap((line) =>
    / resp=3/.test(line) && / sub=[1-9]/.test(line) ? (/^id=(\d+)/.exec(line)?.[1] ?? []) : [],
  );
}
