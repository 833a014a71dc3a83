export { type HttpCacheEnv, type HttpCacheMiddleware, httpCache } from "./http-cache.js";
export type { Dispatcher, HonoHttpCacheOptions as HttpCacheOptions, HonoOptions } from "./options.js";
export type { PurgeRouteOptions } from "./purge-route.js";
export type { RoutePolicyOptions } from "./route-policy.js";
export { type ValkeyCacheEnv, type ValkeyCacheOptions, valkeyCache } from "./valkey-cache.js";
