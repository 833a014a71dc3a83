export type { AdapterOptions, PurgeMethods } from "../http/adapter.js";
export type { ForwardedPart, TrustForwarded } from "../http/forwarded.js";
export type { HttpCacheOptions as EngineOptions } from "../http/options.js";
export type { PurgeRequestOptions } from "../http/purge-route.js";
export type { PurgeOptions } from "../http/purges.js";
export type { PolicyOptions } from "../http/rfc/policy.js";
export type { QueryRules } from "../http/rfc/target.js";
export type { RoutePolicyOptions } from "../http/route-policy.js";
export type { RouteOptions, RouteParams, RouteRule, RouteTable, UrlTest } from "../http/routes.js";
export { type HttpCacheNode, httpCacheNode, type PurgeRouteOptions } from "./http-cache.js";
export type {
  Callback,
  Emitter,
  Listener,
  Next,
  NodeRequest,
  NodeResponse,
  RequestHeaders,
  ResponseHeaders,
  Sink,
} from "./messages.js";
export type { NodeHttpCacheOptions as HttpCacheOptions, NodeListener, NodeOptions } from "./options.js";
