import type { Cache } from "../cache/cache.js";
import { type Checks, checkOptions, isBoolean, isFunction } from "../core/options.js";
import { type CacheSource, cacheSource, type WaitUntil, withCache } from "./with-cache.js";

/** The part of a Worker's execution context that this library uses. */
export interface WorkerContext {
  waitUntil(work: Promise<unknown>): void;
}

/** A fetch handler of a Worker, with the cache as its last argument. */
export type WorkerHandler<Env, Context extends WorkerContext> = (
  request: Request,
  env: Env,
  context: Context,
  cache: Cache,
) => Response | Promise<Response>;

/** Options of `workerHandler` and `lambdaHandler`. */
export interface HandlerOptions {
  /** Reads each key once in an invocation: `memo` of `cache.for()`. @default false */
  memo?: boolean | undefined;
}

/** Options of `requestHandler`. */
export interface RequestHandlerOptions extends HandlerOptions {
  /** Keeps the host running until the promise settles, such as `waitUntil` of @vercel/functions. @default none, as a process keeps running */
  waitUntil?: WaitUntil | undefined;
}

const checks: Checks<HandlerOptions> = { memo: isBoolean };
const requestChecks: Checks<RequestHandlerOptions> = { ...checks, waitUntil: isFunction };

/**
 * The `fetch` of a Cloudflare Worker, with a cache for each request as the last argument. The request's connection, if it
 * has one, closes after the response has been sent.
 * @param source a cache, or a function that makes one from the Worker's `env`
 * @throws {ConfigurationError} on wrong options
 * @example
 * export default {
 *   fetch: workerHandler<Env>(
 *     (env) => createCache({ location: env.VALKEY_URL }),
 *     (request, env, context, cache) => cache.getOrSet(request.url, render).then((html) => new Response(html)),
 *   ),
 * };
 */
export function workerHandler<Env, Context extends WorkerContext = WorkerContext>(
  source: CacheSource<[env: Env]>,
  handler: WorkerHandler<Env, Context>,
  options: HandlerOptions = {},
): (request: Request, env: Env, context: Context) => Promise<Response> {
  checkOptions<HandlerOptions>("workerHandler", options, checks);
  const { memo } = options;
  const cacheOf = cacheSource(source);
  return (request, env, context) =>
    withCache(cacheOf(env), { waitUntil: (work) => context.waitUntil(work), signal: request.signal, memo }, (cache) =>
      handler(request, env, context, cache),
    );
}

/**
 * An AWS Lambda handler, with a cache for each invocation as the last argument. Background work ends before the result is
 * returned, as Lambda then freezes the process. Open connections don't keep an invocation from ending.
 * @param source a cache, made outside the handler so that later invocations reuse its connection; or a function that makes one
 * @throws {ConfigurationError} on wrong options
 * @example
 * export const handler = lambdaHandler(cache, (event: { id: string }, _context, cache) =>
 *   cache.getOrSet(`user:${event.id}`, () => loadUser(event.id)),
 * );
 */
export function lambdaHandler<Event, Context, Result>(
  source: CacheSource<[]>,
  handler: (event: Event, context: Context, cache: Cache) => Result | Promise<Result>,
  options: HandlerOptions = {},
): (event: Event, context: Context) => Promise<Result> {
  checkOptions<HandlerOptions>("lambdaHandler", options, checks);
  const { memo } = options;
  const cacheOf = cacheSource(source);
  return (event, context) => withCache(cacheOf(), { freezes: true, memo }, (cache) => handler(event, context, cache));
}

/**
 * A handler of web requests, with a cache for each request as the last argument. It suits Vercel Functions, Next.js, Bun,
 * Deno, and servers for Node that use `Request` and `Response`.
 * @param source a cache, or a function that makes one
 * @throws {ConfigurationError} on wrong options
 * @example
 * export const GET = requestHandler(cache, async (request, cache) => Response.json(await cache.get(request.url)));
 */
export function requestHandler<Rest extends unknown[]>(
  source: CacheSource<[]>,
  handler: (request: Request, cache: Cache, ...rest: Rest) => Response | Promise<Response>,
  options: RequestHandlerOptions = {},
): (request: Request, ...rest: Rest) => Promise<Response> {
  checkOptions<RequestHandlerOptions>("requestHandler", options, requestChecks);
  const { waitUntil, memo } = options;
  const cacheOf = cacheSource(source);
  return (request, ...rest) =>
    withCache(cacheOf(), { waitUntil, signal: request.signal, memo }, (cache) => handler(request, cache, ...rest));
}
