import type { Context, MiddlewareHandler } from "hono";
import { createMiddleware } from "hono/factory";
import type { Cache } from "../cache/cache.js";
import { type Checks, checkOptions, isBoolean, isFunction } from "../core/options.js";
import { afterBody, type CacheSource, cacheSource, type WaitUntil } from "../hosts/with-cache.js";
import { executionContext } from "./views.js";

/** What `valkeyCache()` puts into the context: `new Hono<ValkeyCacheEnv>()` has a typed `c.var.cache`. */
export interface ValkeyCacheEnv {
  Variables: { cache: Cache };
}

/** Options of `valkeyCache()`. */
export interface ValkeyCacheOptions {
  /** Keeps the host running until the promise settles. @default `c.executionCtx.waitUntil`, where the host has it */
  waitUntil?: ((c: Context, work: Promise<unknown>) => void) | undefined;
  /** Respond only when work in the background has ended, for hosts that stop once they have responded. @default true on AWS Lambda */
  awaitBackground?: boolean | undefined;
  /** Reads each key once in a request: `memo` of `cache.for()`. @default false */
  memo?: boolean | undefined;
}

const checks: Checks<ValkeyCacheOptions> = { waitUntil: isFunction, awaitBackground: isBoolean, memo: isBoolean };

/**
 * Gives each request a cache at `c.var.cache`, and closes it after the response: where there is a `waitUntil`, once the
 * body has been sent, which may come from the cache until then.
 * @param source a cache, or what makes one from the first request's context, such as from `c.env`
 * @throws {ConfigurationError} on wrong options
 */
export function valkeyCache(
  source: CacheSource<[c: Context]>,
  options: ValkeyCacheOptions = {},
): MiddlewareHandler<ValkeyCacheEnv> {
  checkOptions<ValkeyCacheOptions>("valkeyCache", options, checks);
  const cacheOf = cacheSource(source);
  return createMiddleware<ValkeyCacheEnv>(async (c, next) => {
    const waitUntil = waitUntilOf(c, options);
    const whole = cacheOf(c);
    const cache = whole.for({ signal: c.req.raw.signal, memo: options.memo, ...(waitUntil && { waitUntil }) });
    c.set("cache", cache);
    // Hono turns what a handler throws into a response.
    await next();
    if (options.awaitBackground ?? isLambda(c)) await cache.close();
    else if (waitUntil) waitUntil(bodySent(c).then(() => cache.close()));
    // Elsewhere the process goes on, and so may all that the request has begun, such as a body that reads the cache. A view
    // of a shared connection holds nothing that would have to be closed.
    else if (cache.shared !== whole.shared) void bodySent(c).then(() => cache.close());
  });
}

function waitUntilOf(c: Context, { waitUntil }: ValkeyCacheOptions): WaitUntil | undefined {
  if (waitUntil) return (work) => waitUntil(c, work);
  const context = executionContext(c);
  return context && ((work) => context.waitUntil(work));
}

/** What `hono/aws-lambda` puts into the environment. */
function isLambda(c: Context): boolean {
  return typeof c.env === "object" && c.env !== null && "lambdaContext" in c.env;
}

async function bodySent(c: Context): Promise<void> {
  const { response, sent } = afterBody(c.res);
  if (response !== c.res) {
    // Hono adds the old response's header fields to the new one's, which has them already.
    c.res = undefined;
    c.res = response;
  }
  return sent;
}
