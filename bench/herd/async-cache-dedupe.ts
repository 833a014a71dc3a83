import { createCache } from "async-cache-dedupe";
import { Redis } from "ioredis";
import type { Subject } from "./subject.ts";

/** It wants the loader once and for all, and makes the key from its argument. */
export function openDedupe(url: string, lifetime: { readonly ttl: number; readonly stale?: number }): Subject {
  const client = new Redis(url.replace("valkey:", "redis:"));
  const loaders = new Map<string, () => Promise<unknown>>();
  const cache = createCache({ ...lifetime, storage: { type: "redis", options: { client } } }).define(
    "load",
    async (key: string) => loaders.get(key)?.(),
  );
  return {
    getOrSet(key, load) {
      loaders.set(key, load);
      return cache.load(key);
    },
  };
}
