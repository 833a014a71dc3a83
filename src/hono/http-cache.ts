import type { MiddlewareHandler } from "hono";
import { createMiddleware } from "hono/factory";
import type { Cache } from "../cache/cache.js";
import { ConfigurationError } from "../core/errors.js";
import { ClientRequest } from "../http/engine/client-request.js";
import { HttpCache, type PurgeOptions } from "../http/engine/http-cache.js";
import { Dispatches } from "./http-cache-dispatches.js";
import { HonoHost } from "./http-cache-host.js";
import { placeOf } from "./http-cache-mount.js";
import { checkHonoOptions, type HonoHttpCacheOptions } from "./http-cache-options.js";
import { finish } from "./http-cache-response.js";
import { Views } from "./http-cache-views.js";

/** What the middleware finds in its context, where it is given no cache: what `valkeyCache()` puts there. */
export interface HttpCacheEnv {
  Variables: { cache: Cache };
}

/**
 * The middleware, and what ends responses that it has stored. Each method throws `ConnectionError` or `ReplyError` when the
 * store fails.
 */
export interface HttpCacheMiddleware extends MiddlewareHandler {
  /** Ends what is stored for a URL, all its variants too. @param url absolute; with a `keyGenerator`, the key that it makes @throws TypeError */
  purge(url: string, options?: PurgeOptions & { cache?: Cache }): Promise<void>;
  /** Ends what is stored with one of these tags, by Cache-Tag or Surrogate-Key. @throws TypeError */
  purgeTags(tags: readonly string[], options?: PurgeOptions & { cache?: Cache }): Promise<void>;
  /** Ends what is stored with one of these Cache-Groups for an origin such as `"https://example.com"`. RFC 9875. */
  purgeGroups(origin: string, groups: readonly string[], options?: PurgeOptions & { cache?: Cache }): Promise<void>;
}

/**
 * A shared HTTP cache (RFC 9111) in front of the handlers behind it, kept in Valkey.
 * @throws {ConfigurationError} on wrong options
 */
export function httpCache(options: HonoHttpCacheOptions = {}): HttpCacheMiddleware {
  const { own, engine } = checkHonoOptions(options);
  const { keyGenerator } = own;
  const http = new HttpCache(engine);
  const dispatches = new Dispatches(own);
  const views = new Views(own.waitUntil);

  const middleware = createMiddleware<HttpCacheEnv>((c, next) => {
    const dispatch = dispatches.find(c);
    if (dispatch) return dispatches.answer(c, next, dispatch);
    // Middleware outside has made a response of its own, which Hono keeps where no handler makes another.
    if (c.finalized) return next();
    const request = new ClientRequest(c.req.raw);
    return views.use(c, own.cache ?? c.get("cache"), (cache, waitUntil) => {
      const place = placeOf(c, own.mountPath);
      const answer = async (key: string | undefined): Promise<void> => {
        const host = new HonoHost(c, next, own, dispatches, waitUntil, key);
        let isUnderway = false;
        try {
          const outcome = await http.handle({ request, ...place, hasBody: false, key, host }, cache);
          isUnderway = "answer" in outcome && outcome.answer.isUnderway === true;
          finish(c, outcome, host.preset());
        } finally {
          if (!isUnderway) host.restore();
        }
      };
      return keyGenerator ? Promise.resolve(keyGenerator(c)).then(answer) : answer(undefined);
    });
  });

  const cacheOf = (given: Cache | undefined): Cache => {
    const cache = given ?? own.cache;
    if (cache) return cache;
    throw new ConfigurationError("httpCache: a purge needs a cache; give httpCache or the purge the option cache");
  };
  const purges: Pick<HttpCacheMiddleware, "purge" | "purgeTags" | "purgeGroups"> = {
    purge: async (url, { cache, ...how } = {}) => http.purge(cacheOf(cache), keyGenerator ? { key: url } : url, how),
    purgeTags: async (tags, { cache, ...how } = {}) => http.purgeTags(cacheOf(cache), tags, how),
    purgeGroups: async (origin, groups, { cache, ...how } = {}) =>
      http.purgeGroups(cacheOf(cache), origin, groups, how),
  };
  return Object.assign(middleware, purges);
}
