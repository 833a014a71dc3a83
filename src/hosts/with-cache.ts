import type { Cache } from "../cache/cache.js";

/**
 * Wraps a response so that `sent` settles when its body was sent or cancelled. A body may use the cache while it streams,
 * so the request's connection must outlive it.
 */
export function afterBody(response: Response): { response: Response; sent: Promise<void> } {
  if (!response.body) return { response, sent: Promise.resolve() };
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  // Either side may end it early. The stream itself reports the error to the reader.
  const sent = response.body.pipeTo(writable).catch(() => {});
  return { response: new Response(readable, response), sent };
}

/** Keeps the host running until the promise settles. */
export type WaitUntil = (work: Promise<unknown>) => void;

/** A cache, or a function that makes it from the arguments of the host. The function is called once. */
export type CacheSource<Args extends unknown[]> = Cache | ((...args: Args) => Cache);

/** Returns the cache of a source, which the first call makes. */
export function cacheSource<Args extends unknown[]>(source: CacheSource<Args>): (...args: Args) => Cache {
  let cache: Cache | undefined;
  return (...args) => {
    cache ??= typeof source === "function" ? source(...args) : source;
    return cache;
  };
}

/** What a host does with an invocation. */
export interface InvocationHost {
  /** Without it the process keeps running, unless it freezes. */
  readonly waitUntil?: WaitUntil | undefined;
  /** The process may stop as soon as the result is returned. */
  readonly freezes?: boolean;
  readonly signal?: AbortSignal | undefined;
  readonly memo?: boolean | undefined;
}

/** Runs one invocation with its own cache, and closes the cache when neither the handler nor its response needs it. */
export async function withCache<R>(
  whole: Cache,
  { waitUntil, freezes, signal, memo }: InvocationHost,
  run: (cache: Cache) => R | Promise<R>,
): Promise<R> {
  const cache = whole.for({ waitUntil, signal, memo });
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
