import type { Context } from "hono";

/** The caches that have handled a request, by the request that their handlers got. */
const handled = new WeakMap<Request, readonly string[]>();
const warned = new Set<string>();
const MAX_WARNINGS = 100;

/** Records that a cache handles the request of which `inner` was made. @param cacheId see `HttpCache.idOf` */
export function enterCache(inner: Request, outer: Request, cacheId: string): void {
  handled.set(inner, [...(handled.get(outer) ?? []), cacheId]);
}

/** Records that `inner` was made of `outer` in another way. */
export function inheritCaches(inner: Request, outer: Request): void {
  const caches = handled.get(outer);
  if (caches) handled.set(inner, caches);
}

/**
 * Whether a cache handles this request already: an inner middleware with the same keys would wait for the response that the
 * outer one waits for. Warns once for each route.
 */
export function isInsideCache(c: Context, idOf: () => string): boolean {
  const caches = handled.get(c.req.raw);
  if (!caches?.includes(idOf())) return false;
  const route = `${c.req.method} ${c.req.routePath}`;
  if (!warned.has(route) && warned.size < MAX_WARNINGS) {
    warned.add(route);
    console.warn(
      `valkey-edge-cache: httpCache is registered twice for ${route}, so the inner one does nothing; remove one of them, or give one another cacheName`,
    );
  }
  return true;
}
