import type { Cache } from "../cache/cache.js";
import { afterBody } from "./after-body.js";

/** Keeps the host running until the promise settles. */
export type WaitUntil = (work: Promise<unknown>) => void;

/** A cache, or what makes it from what the host passes to the handler; it is asked once. */
export type CacheSource<Args extends unknown[]> = Cache | ((...args: Args) => Cache);

/** The cache of a source, made by the first that asks. */
export function cacheSource<Args extends unknown[]>(source: CacheSource<Args>): (...args: Args) => Cache {
  let cache = typeof source === "function" ? undefined : source;
  return (...args) => {
    cache ??= (source as (...given: Args) => Cache)(...args);
    return cache;
  };
}

export interface InvocationHost {
  /** @default the invocation ends only when its cache has */
  readonly waitUntil?: WaitUntil | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs one invocation with a cache of its own, and closes that: after the body of the response where the host can wait,
 * else before the result is given back, as such a host may stop right after.
 */
export async function withCache<R>(
  whole: Cache,
  { waitUntil, signal }: InvocationHost,
  run: (cache: Cache) => R | Promise<R>,
): Promise<R> {
  const cache = whole.for({ ...(waitUntil && { waitUntil }), ...(signal && { signal }) });
  if (!waitUntil) {
    try {
      return await run(cache);
    } finally {
      await cache.close();
    }
  }
  let sent: Promise<void> = Promise.resolve();
  try {
    const result = await run(cache);
    if (!(result instanceof Response)) return result;
    const streamed = afterBody(result);
    sent = streamed.sent;
    return streamed.response as R & Response;
  } finally {
    waitUntil(sent.then(() => cache.close()));
  }
}
