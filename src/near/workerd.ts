import { LRUCache } from "lru-cache";
import { type NearCacheOptions, nearCacheFactory } from "./options.js";
import type { NearCacheFactory } from "./port.js";

/** Like `nearCache()` on other hosts, without what listens: no connection outlives a request here. */
export function nearCache(options: NearCacheOptions = {}): NearCacheFactory {
  return nearCacheFactory(options, () => LRUCache);
}
