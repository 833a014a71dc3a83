import type { FastifyRequest } from "fastify";
import type { Cache } from "../cache/cache.js";
import type { Checks } from "../core/options.js";
import { type AdapterOptions, adapterChecks, isCache } from "../http/adapter.js";
import type { HttpCacheOptions } from "../http/options.js";

/** What belongs to Fastify alone. */
export interface FastifyOptions extends AdapterOptions<FastifyRequest> {
  /** Where responses are kept. */
  cache: Cache;
}

/** Options of `httpCacheFastify`: Fastify's part, and those of the cache itself. */
export interface FastifyHttpCacheOptions extends FastifyOptions, HttpCacheOptions {}

export const fastifyChecks: Checks<FastifyOptions> = /* @__PURE__ */ (() => ({ ...adapterChecks, cache: isCache }))();
