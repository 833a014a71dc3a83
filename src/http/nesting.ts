/** The caches that have handled a request, by the request that their handlers got: those of all copies of this library. */
const handled = /* @__PURE__ */ (() => {
  const key = Symbol.for("valkey-edge-cache.handled");
  const shared: WeakMap<object, readonly string[]> | undefined = Reflect.get(globalThis, key);
  const made = shared ?? new WeakMap<object, readonly string[]>();
  Reflect.set(globalThis, key, made);
  return made;
})();
const warned = new Set<string>();
const MAX_WARNINGS = 100;

/** Records that a cache handles the request of which `inner` was made. @param cacheId see `HttpCache.idOf` */
export function enterCache(inner: object, outer: object, cacheId: string): void {
  handled.set(inner, [...(handled.get(outer) ?? []), cacheId]);
}

/** Records that `inner` was made of `outer` in another way. */
export function inheritCaches(inner: object, outer: object): void {
  const caches = handled.get(outer);
  if (caches) handled.set(inner, caches);
}

/**
 * Whether a cache handles this request already: an inner one with the same keys would wait for the response that the outer
 * one waits for. Warns once for each route.
 * @param where the function that made the cache, for the warning
 */
export function isInsideCache(request: object, idOf: () => string, route: () => string, where: string): boolean {
  const caches = handled.get(request);
  if (!caches?.includes(idOf())) return false;
  const at = route();
  if (!warned.has(at) && warned.size < MAX_WARNINGS) {
    warned.add(at);
    console.warn(
      `valkey-edge-cache: ${where} is registered twice for ${at}, so the inner one does nothing; remove one of them, or give one another cacheName`,
    );
  }
  return true;
}
