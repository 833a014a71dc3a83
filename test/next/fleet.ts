import { randomUUID } from "node:crypto";
import { type Cache, type CacheOptions, createCache } from "valkey-edge-cache";
import { incrementalCacheHandler, type NextOptions, type UseCacheEntry, useCacheHandler } from "valkey-edge-cache/next";
import { inject } from "vitest";

/** Instances of one application, each with a cache of its own, over one server. */
export class Fleet implements AsyncDisposable {
  readonly keyPrefix = randomUUID();
  readonly #caches: Cache[] = [];

  cache(options: Partial<CacheOptions> = {}): Cache {
    const cache = createCache({ location: inject("valkeyUrl"), keyPrefix: this.keyPrefix, logger: false, ...options });
    this.#caches.push(cache);
    return cache;
  }

  /** An instance's handler of `"use cache"`. */
  use(options: NextOptions & Partial<CacheOptions> = {}) {
    return useCacheHandler(this.#options(options));
  }

  /** An instance's handler of pages, as Next makes one for a request. */
  pages(options: NextOptions & Partial<CacheOptions> = {}) {
    const Handler = incrementalCacheHandler(this.#options(options));
    return (headers: Record<string, string> = {}) => new Handler({ _requestHeaders: headers });
  }

  #options({
    buildId = "build",
    distDir,
    generationTimeout,
    maxTtl,
    keepBuilds,
    ...cache
  }: NextOptions & Partial<CacheOptions>) {
    return { cache: this.cache(cache), buildId, distDir, generationTimeout, maxTtl, keepBuilds };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#caches[0]?.clear().catch(() => {});
    await Promise.all(this.#caches.map((cache) => cache.close()));
  }
}

/** An entry as Next gives it to `set`. */
export function entry(text: string, of: Partial<UseCacheEntry> = {}): Promise<UseCacheEntry> {
  return Promise.resolve({
    value: new Blob([text]).stream(),
    tags: [],
    stale: 30,
    timestamp: Date.now(),
    expire: 3_600,
    revalidate: 900,
    ...of,
  });
}

/** The text of an entry that `get` has found. */
export async function text(found: UseCacheEntry | undefined): Promise<string | undefined> {
  return found && new Response(found.value).text();
}

export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}
