import assert from "node:assert/strict";
import { createCache, define } from "valkey-edge-cache";
import { PATIENCE_MS, type Store, TTL } from "./store.ts";

/** This library, called through a definition, with its defaults but for the time it waits. */
export async function open(url: string): Promise<Store> {
  const cache = createCache({ location: url, ttl: TTL, commandTimeout: PATIENCE_MS / 1_000 });
  const values = define(cache, { key: (id: string) => id, load: neverCalled, loadMany: neverCalled });
  return {
    get: (id) => values.get(id),
    set: (id, value) => values.set(id, value),
    getMany: (ids) => values.getMany(ids),
    getOrSet: (id) => values.get(id),
    close: () => cache.close(),
  };
}

function neverCalled(): Promise<never> {
  assert.fail("everything is stored");
}
