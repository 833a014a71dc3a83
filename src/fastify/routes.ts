import type { FastifyRequest, RouteHandlerMethod } from "fastify";
import { ConfigurationError, show } from "../core/errors.js";
import { type PurgeRequestOptions, purgeReplies } from "../http/purge-route.js";
import { checkRoutePolicy, type RoutePolicy, type RoutePolicyOptions, toRoutePolicy } from "../http/route-policy.js";
import type { FastifyOptions } from "./options.js";

/** A route's `config.httpCache`: options that apply when a response is stored, or `false` for no cache. */
export type RouteHttpCache = RoutePolicyOptions | false;

/** The policies that routes have in their `config`. */
export class RoutePolicies {
  readonly #base: RoutePolicyOptions;
  readonly #default: RoutePolicy;
  readonly #made = new WeakMap<RoutePolicyOptions, RoutePolicy>();

  constructor({ cacheControl, vary }: Pick<FastifyOptions, "cacheControl" | "vary">) {
    this.#base = { cacheControl, vary };
    this.#default = toRoutePolicy(this.#base);
  }

  /** The policy of a request's route; `false` where that is not cached. @throws {ConfigurationError} */
  of(request: FastifyRequest): RoutePolicy | false {
    const { config, url } = request.routeOptions;
    return config.httpCache === undefined ? this.#default : this.check(config.httpCache, url);
  }

  /** @param url of the route, for messages @throws {ConfigurationError} on options that a route can't have */
  check(given: RouteHttpCache, url: string | undefined): RoutePolicy | false {
    if (given === false) return false;
    const where = `httpCacheFastify: config.httpCache of ${url}`;
    if (typeof given !== "object" || given === null)
      throw new ConfigurationError(`${where} is ${show(given)}; give an object, such as { ttl: "1m" }, or false`);
    const made = this.#made.get(given) ?? toRoutePolicy({ ...this.#base, ...checkRoutePolicy(where, given) });
    this.#made.set(given, made);
    return made;
  }
}

/** Options of `purgeRoute()`. */
export interface PurgeRouteOptions extends PurgeRequestOptions<FastifyRequest> {}

/** Answers PURGE requests; see `purgeReplies`. @throws {ConfigurationError} without `authorize` */
export function purgeRoute(
  options: PurgeRouteOptions,
  purge: (request: FastifyRequest, soft: boolean) => Promise<number>,
): RouteHandlerMethod {
  const answer = purgeReplies("httpCache.purgeRoute", options, purge);
  return async (request, reply) => {
    reply.header("cache-control", "no-store");
    const { status, body } = await answer(request);
    return reply.code(status).send(body);
  };
}
