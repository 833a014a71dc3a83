export { type HttpCacheEnv, type HttpCacheMiddleware, httpCache } from "./http-cache.js";
export type { Dispatcher, HonoHttpCacheOptions as HttpCacheOptions, HonoOptions } from "./options.js";
export { type ValkeyCacheEnv, type ValkeyCacheOptions, valkeyCache } from "./valkey-cache.js";
