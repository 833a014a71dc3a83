import { type Checks, checkOptions } from "../core/options.js";
import { type AdapterOptions, adapterChecks } from "./adapter.js";
import { type RouteOptions, routeChecks } from "./routes.js";

/** What a route has of its own: options that apply when a response is stored. They go before those of the cache. */
export interface RoutePolicyOptions extends RouteOptions, Pick<AdapterOptions<never>, "cacheControl" | "vary"> {}

/** The options of one response, as an adapter and the engine take them. */
export interface RoutePolicy {
  readonly defaults: Pick<RoutePolicyOptions, "cacheControl" | "vary">;
  readonly storage: RouteOptions;
}

const { cacheControl, vary } = adapterChecks;
const checks: Checks<RoutePolicyOptions> = /* @__PURE__ */ (() => ({ ...routeChecks, cacheControl, vary }))();

/**
 * The given options without those that are undefined, which leave what they would replace.
 * @throws {ConfigurationError} on options that a route can't have
 */
export function checkRoutePolicy(where: string, given: RoutePolicyOptions): RoutePolicyOptions {
  checkOptions<RoutePolicyOptions>(where, given, checks);
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

export function toRoutePolicy({ cacheControl, vary, ...storage }: RoutePolicyOptions): RoutePolicy {
  const defaults = { ...(cacheControl !== undefined && { cacheControl }), ...(vary !== undefined && { vary }) };
  return { defaults, storage };
}
