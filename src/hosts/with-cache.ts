import type { Cache } from "../cache/cache.js";

/**
 * The response, and what settles when nobody reads its body any more. A body may still ask the cache while it streams, so
 * the request's connection must outlive it.
 */
export function afterBody(response: Response): { response: Response; sent: Promise<void> } {
  if (!response.body) return { response, sent: Promise.resolve() };
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  // Either side may end it early: the reader is told by the stream itself.
  const sent = response.body.pipeTo(writable).catch(() => {});
  return { response: new Response(readable, response), sent };
}

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

/** How a host treats one invocation. */
export interface InvocationHost {
  /** Where it is missing, the process goes on, unless it freezes. */
  readonly waitUntil?: WaitUntil | undefined;
  /** The process may stop as soon as the result is given back. */
  readonly freezes?: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** Runs one invocation with a cache of its own, and closes that when neither the handler nor its response needs it. */
export async function withCache<R>(
  whole: Cache,
  { waitUntil, freezes, signal }: InvocationHost,
  run: (cache: Cache) => R | Promise<R>,
): Promise<R> {
  const cache = whole.for({ ...(waitUntil && { waitUntil }), ...(signal && { signal }) });
  let sent: Promise<void> | undefined;
  try {
    const result = await run(cache);
    if (!waitUntil || !(result instanceof Response)) return result;
    const streamed = afterBody(result);
    sent = streamed.sent;
    return streamed.response as R & Response;
  } finally {
    const closed = sent ? sent.then(() => cache.close()) : cache.close();
    if (freezes) await closed;
    else waitUntil?.(closed);
  }
}
