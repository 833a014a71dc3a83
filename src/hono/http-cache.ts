import type { Context, Handler, MiddlewareHandler } from "hono";
import { createMiddleware } from "hono/factory";
import type { Cache } from "../cache/cache.js";
import { type PurgeMethods, purgeMethods, splitOptions } from "../http/adapter.js";
import { toResponse } from "../http/answer.js";
import { HttpCache, type Outcome } from "../http/http-cache.js";
import { isInsideCache } from "../http/nesting.js";
import { ClientRequest } from "../http/plain-request.js";
import { restorePreset } from "../http/preset-fields.js";
import type { Fields } from "../http/rfc/message.js";
import { mountedUrlOf, untouchedFields } from "./mount.js";
import { type HonoHttpCacheOptions, type HonoOptions, honoChecks } from "./options.js";
import { changeHeaders, HonoHost, InternalRequests } from "./origin.js";
import { type PurgeRouteOptions, purgeRoute, RoutePolicies, type RoutePolicyOptions } from "./routes.js";
import { Views } from "./views.js";

/** Makes the outcome the response of the context. */
export function finish(c: Context, outcome: Outcome, preset: Fields, hidden: readonly string[]): void {
  if ("forwarded" in outcome) {
    const { response } = outcome.forwarded;
    if (response !== c.res) {
      c.res = undefined;
      c.res = response;
    }
    restore(c, preset);
    if (outcome.member !== undefined) mark(c, outcome.member, hidden);
    return;
  }
  const response = toResponse(outcome.answer, c.req.method === "HEAD");
  if (preset.length > 0) {
    restorePreset(response.headers, preset);
    for (const name of hidden) response.headers.delete(name);
  }
  // Without this, Hono would merge the old response's headers over the new ones.
  c.res = undefined;
  c.res = response;
}

function restore(c: Context, preset: Fields): void {
  if (preset.length > 0) changeHeaders(c, (headers) => restorePreset(headers, preset));
}

function mark(c: Context, member: string, hidden: readonly string[]): void {
  // This response is one object for all requests, and its headers are never sent.
  if (c.res.headers.has("x-hono-already-sent")) return;
  changeHeaders(c, (headers) => {
    headers.append("cache-status", member);
    for (const name of hidden) headers.delete(name);
  });
}

/** The variables that the middleware reads where it has no option `cache`: `valkeyCache()` sets them. */
export interface HttpCacheEnv {
  Variables: { cache: Cache };
}

/** The middleware, and methods that purge stored responses. */
export interface HttpCacheMiddleware extends MiddlewareHandler, PurgeMethods {
  /**
   * A handler for PURGE requests, which purges the URL that the client asked for.
   * @example
   * const authorize = (c: Context) => c.req.header("authorization") === `Bearer ${process.env.PURGE_TOKEN}`;
   * app.on("PURGE", "*", http.purgeRoute({ authorize }));
   * @throws {ConfigurationError} without `authorize`
   */
  purgeRoute(options: PurgeRouteOptions): Handler;
  /**
   * Middleware with options for the responses of one route, which go before those of `httpCache`.
   * @example
   * app.get("/prices", http.policy({ ttl: "10s", staleWhileRevalidate: "1m" }), handler);
   * @throws {ConfigurationError} on options that a route can't have
   */
  policy(options: RoutePolicyOptions): MiddlewareHandler;
}

/**
 * A shared HTTP cache (RFC 9111), kept in Valkey. Register it before the handlers and after middleware for one client.
 * @example app.use("/api/*", httpCache({ cache, app }));
 * @throws {ConfigurationError} on wrong options
 */
export function httpCache(options: HonoHttpCacheOptions = {}): HttpCacheMiddleware {
  const { own, engine } = splitOptions<HonoOptions>("httpCache", options, honoChecks);
  const { keyGenerator } = own;
  const http = new HttpCache(engine);
  const policies = new RoutePolicies();
  const internalRequests = new InternalRequests(own, policies);
  const views = new Views(own.waitUntil);

  const middleware = createMiddleware<HttpCacheEnv>(async (c, next) => {
    const internal = own.app && internalRequests.find(c);
    if (internal) return internalRequests.answer(c, next, internal);
    const cache = own.cache ?? c.get("cache");
    if (
      cache &&
      isInsideCache(
        c.req.raw,
        () => http.idOf(cache),
        () => `${c.req.method} ${c.req.routePath}`,
        "httpCache",
      )
    )
      return next();
    // Outer middleware has set a response, which Hono keeps where no handler makes another.
    if (c.finalized) return next();
    const { raw } = c.req;
    const key = keyGenerator ? await keyGenerator(c) : undefined;
    return views.use(c, cache, (view, waitUntil) => {
      const host = new HonoHost(c, next, internalRequests, { waitUntil, key, cacheId: () => http.idOf(view) });
      const request = new ClientRequest(raw, untouchedFields(c.env, raw));
      const outcome = http.answer({ request, ...mountedUrlOf(c, own.mountPath), hasBody: false, key, host }, view);
      let isUnderway = false;
      const end = (known: Outcome): void => {
        isUnderway = "answer" in known && known.answer.isUnderway === true;
        finish(c, known, host.preset(), http.hiddenTagFields);
      };
      // Known at once, so the handler has got no request of its own.
      if (!(outcome instanceof Promise)) return end(outcome);
      return outcome.then(end).finally(() => {
        if (!isUnderway && c.req.raw !== raw) host.restore();
      });
    });
  });

  const methods: Omit<HttpCacheMiddleware, keyof MiddlewareHandler> = {
    ...purgeMethods("httpCache", http, own),
    purgeRoute: (given) =>
      purgeRoute(given, async (c, soft) => {
        const key = keyGenerator ? { key: await keyGenerator(c) } : undefined;
        const asked = { request: new ClientRequest(c.req.raw), ...mountedUrlOf(c, own.mountPath) };
        let purged = 0;
        await views.use(c, own.cache ?? c.get("cache"), async (view) => {
          purged = await http.purges.url(view, key ?? http.askedUrl(asked) ?? "", { soft });
        });
        return purged;
      }),
    policy: (given) => policies.middleware(given),
  };
  return Object.assign(middleware, methods);
}
