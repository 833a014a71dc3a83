import type { Context, MiddlewareHandler } from "hono";
import { createMiddleware } from "hono/factory";
import type { Cache } from "../cache/cache.js";
import { ConfigurationError } from "../core/errors.js";
import { toResponse } from "../http/answer.js";
import { HttpCache, type Outcome, type PurgeOptions } from "../http/http-cache.js";
import { ClientRequest } from "../http/plain-request.js";
import type { Fields } from "../http/rfc/message.js";
import { placeOf } from "./mount.js";
import { checkHonoOptions, type HonoHttpCacheOptions } from "./options.js";
import { Dispatches, HonoHost, restoreOuter } from "./origin.js";
import { Views } from "./views.js";

/** Makes the outcome the context's response. */
export function finish(c: Context, outcome: Outcome, outer: Fields): void {
  if ("passed" in outcome) {
    restore(c, outer);
    mark(c, outcome.member);
    return;
  }
  if (outcome.answer.untouched) {
    restore(c, outer);
    return;
  }
  const response = toResponse(outcome.answer, c.req.method === "HEAD");
  if (outer.length > 0) restoreOuter(response.headers, outer);
  // Without this, Hono would merge the old response's headers over the new ones.
  c.res = undefined;
  c.res = response;
}

function restore(c: Context, outer: Fields): void {
  if (outer.length > 0) change(c, (headers) => restoreOuter(headers, outer));
}

function mark(c: Context, member: string): void {
  // That response is one object for all requests, and nobody sends its headers.
  if (c.res.headers.has("x-hono-already-sent")) return;
  change(c, (headers) => headers.append("cache-status", member));
}

/** Headers of a fetched response can't be changed: then it is made anew. */
function change(c: Context, work: (headers: Headers) => void): void {
  try {
    work(c.res.headers);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    const copy = new Response(c.res.body, c.res);
    work(copy.headers);
    c.res = undefined;
    c.res = copy;
  }
}

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
