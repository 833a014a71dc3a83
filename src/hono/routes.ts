import type { Context, Handler, MiddlewareHandler } from "hono";
import { type PurgeRequestOptions, purgeReplies } from "../http/purge-route.js";
import { checkRoutePolicy, type RoutePolicy, type RoutePolicyOptions, toRoutePolicy } from "../http/route-policy.js";

export type { RoutePolicyOptions } from "../http/route-policy.js";

/** The policies that routes have set for the response of a context. */
export class RoutePolicies {
  readonly #given = new WeakMap<Context, RoutePolicyOptions>();
  readonly #made = new WeakMap<RoutePolicyOptions, RoutePolicy>();

  /** Middleware that sets a route's policy. @throws {ConfigurationError} on options that a route can't have */
  middleware(given: RoutePolicyOptions): MiddlewareHandler {
    const options = checkRoutePolicy("httpCache.policy", given);
    return (c, next) => {
      const outer = this.#given.get(c);
      this.#given.set(c, outer ? { ...outer, ...options } : options);
      return next();
    };
  }

  /** The policy of a response; `undefined` where its route has none. */
  of(c: Context): RoutePolicy | undefined {
    const given = this.#given.get(c);
    if (!given) return undefined;
    const known = this.#made.get(given);
    if (known) return known;
    const made = toRoutePolicy(given);
    this.#made.set(given, made);
    return made;
  }
}

/** Options of `purgeRoute()`. */
export interface PurgeRouteOptions extends PurgeRequestOptions<Context> {}

/** Answers PURGE requests; see `purgeReplies`. @throws {ConfigurationError} without `authorize` */
export function purgeRoute(options: PurgeRouteOptions, purge: (c: Context, soft: boolean) => Promise<number>): Handler {
  const reply = purgeReplies("httpCache.purgeRoute", options, purge);
  return async (c) => {
    c.header("cache-control", "no-store");
    const { status, body } = await reply(c);
    return c.json(body, status);
  };
}
