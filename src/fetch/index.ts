export type { AdapterOptions, PurgeMethods } from "../http/adapter.js";
export type { ForwardedPart, TrustForwarded } from "../http/forwarded.js";
export type { HttpCacheOptions } from "../http/options.js";
export type { PurgeOptions } from "../http/purges.js";
export type { PolicyOptions } from "../http/rfc/policy.js";
export type { QueryRules } from "../http/rfc/target.js";
export type { RouteOptions, RouteParams, RouteRule, RouteTable, UrlTest } from "../http/routes.js";
export { type CachedFetch, cachedFetch } from "./cached-fetch.js";
export {
  type CachedHandler,
  type CachedHandlerOptions,
  cachedHandler,
  type HandlerOptions,
  type WebHandler,
} from "./cached-handler.js";
export type { CachedFetchOptions, Fetch, FetchOptions } from "./options.js";
