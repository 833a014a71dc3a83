import type { Context, Handler, MiddlewareHandler } from "hono";
import { ConfigurationError } from "../core/errors.js";
import { checkOptions, isBoolean, isFunction } from "../core/options.js";
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

export interface PurgeRouteOptions {
  /** Whether the client may purge. Required, as every client can send a PURGE. */
  authorize: (c: Context) => boolean | Promise<boolean>;
  /** Keep the responses, and validate them before they are used again, instead of deleting them. @default false */
  soft?: boolean | undefined;
}

/**
 * Answers PURGE requests: 200 with `{"purged": n}`, the number of stored responses that it ended; 403 for clients that
 * may not purge; 503 when the store fails.
 * @param purge purges the URL that the client asked for
 * @throws {ConfigurationError} without `authorize`
 */
export function purgeRoute(options: PurgeRouteOptions, purge: (c: Context, soft: boolean) => Promise<number>): Handler {
  checkOptions<PurgeRouteOptions>("httpCache.purgeRoute", options, { authorize: isFunction, soft: isBoolean });
  const { authorize, soft = false } = options;
  if (authorize === undefined) {
    throw new ConfigurationError(
      'httpCache.purgeRoute: option "authorize" is missing; give a function that says whether a client may purge',
    );
  }
  return async (c) => {
    c.header("cache-control", "no-store");
    if ((await authorize(c)) !== true) return c.json({ error: "not allowed to purge" }, 403);
    try {
      return c.json({ purged: await purge(c, soft) });
    } catch (error) {
      if (error instanceof TypeError) return c.json({ error: "this URL is never stored" }, 400);
      return c.json({ error: "the store did not answer, so nothing may have been purged; try again" }, 503);
    }
  };
}
