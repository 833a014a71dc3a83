export { type HttpCacheEnv, type HttpCacheMiddleware, httpCache } from "./hono/http-cache.js";
export type { Dispatcher, HonoHttpCacheOptions as HttpCacheOptions } from "./hono/http-cache-options.js";
export { type ValkeyCacheEnv, type ValkeyCacheOptions, valkeyCache } from "./hono/valkey-cache.js";
