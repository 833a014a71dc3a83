export type { ForwardedPart, TrustForwarded } from "../http/forwarded.js";
export type { HttpCacheOptions as EngineOptions } from "../http/options.js";
export type { PurgeOptions } from "../http/purges.js";
export type { PolicyOptions } from "../http/rfc/policy.js";
export type { QueryRules } from "../http/rfc/target.js";
export type { RoutePolicyOptions } from "../http/route-policy.js";
export { type FastifyHttpCache, httpCacheFastify } from "./http-cache.js";
export type { FastifyHttpCacheOptions as HttpCacheOptions, FastifyOptions } from "./options.js";
export type { RouteHttpCache } from "./routes.js";
