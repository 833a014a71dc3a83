import { createCache, nearCache } from "valkey-edge-cache";
import type { Call, OpenCall } from "./call.ts";

export const open: OpenCall = async (name, location) => {
  switch (name) {
    case "fetch":
      return fetch;
    case "undici fetch, interceptors.cache()":
      return await undiciFetch([]);
    case "undici fetch, cache() and deduplicate()":
      return await undiciFetch(["deduplicate"]);
    case "undici request, interceptors.cache()":
      return await undiciRequest();
    case "cachedFetch":
      return await library(location, false);
    case "cachedFetch, near cache":
      return await library(location, true);
  }
};

async function library(location: string, isNear: boolean): Promise<Call> {
  const { cachedFetch } = await import("valkey-edge-cache/fetch");
  const cache = createCache({ location, ...(isNear ? { nearCache: nearCache() } : {}) });
  return cachedFetch({ cache });
}

async function undiciFetch(more: readonly "deduplicate"[]): Promise<Call> {
  const { fetch: send } = await import("undici");
  const dispatcher = await cachingDispatcher(more);
  return (url, init) => send(url, { ...init, dispatcher });
}

/** Without web streams, which cost most of the time of a fetch. */
async function undiciRequest(): Promise<Call> {
  const { request } = await import("undici");
  const dispatcher = await cachingDispatcher([]);
  return async (url, { signal } = {}) => {
    const { body } = await request(url, { dispatcher, ...(signal ? { signal } : {}) });
    return { arrayBuffer: () => body.arrayBuffer(), body: { cancel: async () => body.destroy() } };
  };
}

/** The dispatcher of undici's documentation of `cache()`. */
async function cachingDispatcher(more: readonly "deduplicate"[]) {
  const { Agent, cacheStores, interceptors } = await import("undici");
  const store = new cacheStores.MemoryCacheStore();
  return new Agent().compose(interceptors.cache({ store }), ...more.map((name) => interceptors[name]()));
}
