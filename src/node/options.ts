import type { Cache } from "../cache/cache.js";
import { type Checks, isFunction } from "../core/options.js";
import { type AdapterOptions, adapterChecks, isCache } from "../http/adapter.js";
import type { HttpCacheOptions } from "../http/options.js";
import { checkRoutePolicy, type RoutePolicy, type RoutePolicyOptions, toRoutePolicy } from "../http/route-policy.js";
import type { Next, NodeRequest, NodeResponse } from "./messages.js";

/**
 * Handles a request: a listener of a server, or an application of Express or Connect. It is the type of a method, as the
 * parameters of methods may be narrower: applications take requests and responses of their own types.
 */
export type NodeListener = { handle(req: NodeRequest, res: NodeResponse, next?: Next): unknown }["handle"];

/** What belongs to Node alone. */
export interface NodeOptions extends AdapterOptions<NodeRequest> {
  /** Where responses are kept. Required. */
  cache: Cache;
  /**
   * The application or listener that stale responses are refreshed through, in the background.
   * @default the outermost application of Express, or the listeners of the server
   */
  app?: NodeListener | undefined;
}

/** Options of `httpCacheNode`: Node's part, and those of the cache itself. */
export interface NodeHttpCacheOptions extends NodeOptions, HttpCacheOptions {}

export const nodeChecks: Checks<NodeOptions> = /* @__PURE__ */ (() => ({
  ...adapterChecks,
  cache: isCache,
  app: isFunction,
}))();

/** The policies that routes have set for the response to a request. */
export class Policies {
  readonly #given = new WeakMap<NodeRequest, RoutePolicyOptions>();
  readonly #made = new WeakMap<RoutePolicyOptions, RoutePolicy>();

  /** @returns sets these options for a request @throws {ConfigurationError} on options that a route can't have */
  setter(where: string, given: RoutePolicyOptions): (req: NodeRequest) => void {
    const options = checkRoutePolicy(where, given);
    return (req) => {
      const outer = this.#given.get(req);
      this.#given.set(req, outer ? { ...outer, ...options } : options);
    };
  }

  of(req: NodeRequest): RoutePolicy | undefined {
    const given = this.#given.get(req);
    const made = given && (this.#made.get(given) ?? toRoutePolicy(given));
    if (given && made) this.#made.set(given, made);
    return made;
  }
}
