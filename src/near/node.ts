import { type NearCacheOptions, nearCacheFactory } from "./options.js";
import type { NearCacheFactory } from "./port.js";

/**
 * Keeps entries in the process, so that reads of them need no round trip, and drops them when the server says that they
 * have changed.
 * @throws {ConfigurationError} on wrong options
 * @example
 * const cache = createCache({ location: "valkey://localhost:6379/0", nearCache: nearCache({ maxSize: 64_000_000 }) });
 */
export function nearCache(options: NearCacheOptions = {}): NearCacheFactory {
  const loadList = () => import("lru-cache").then(({ LRUCache }) => LRUCache);
  return nearCacheFactory(options, loadList, () => import("./listening.js"));
}
