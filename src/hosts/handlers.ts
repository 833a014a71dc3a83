import type { Cache } from "../cache/cache.js";
import { type CacheSource, cacheSource, type WaitUntil, withCache } from "./with-cache.js";

/** What this library uses of a Worker's execution context. */
export interface WorkerContext {
  waitUntil(work: Promise<unknown>): void;
}

export type WorkerHandler<Env, Context extends WorkerContext> = (
  request: Request,
  env: Env,
  context: Context,
  cache: Cache,
) => Response | Promise<Response>;

/**
 * The `fetch` of a Cloudflare Worker, with a cache for each request as the last argument. Its connection, if it needs one,
 * ends after the response has been sent.
 * @param source a cache, or what makes one from the Worker's `env`
 */
export function workerHandler<Env, Context extends WorkerContext = WorkerContext>(
  source: CacheSource<[env: Env]>,
  handler: WorkerHandler<Env, Context>,
): (request: Request, env: Env, context: Context) => Promise<Response> {
  const cacheOf = cacheSource(source);
  return (request, env, context) =>
    withCache(cacheOf(env), { waitUntil: (work) => context.waitUntil(work), signal: request.signal }, (cache) =>
      handler(request, env, context, cache),
    );
}

/**
 * An AWS Lambda handler, with a cache for each invocation as the last argument. What runs in the background ends before the
 * result is given back, as the process is frozen then; open connections don't keep an invocation from ending.
 * @param source a cache, made outside the handler so that later invocations find its connection; or what makes one
 */
export function lambdaHandler<Event, Context, Result>(
  source: CacheSource<[]>,
  handler: (event: Event, context: Context, cache: Cache) => Result | Promise<Result>,
): (event: Event, context: Context) => Promise<Result> {
  const cacheOf = cacheSource(source);
  return (event, context) => withCache(cacheOf(), { freezes: true }, (cache) => handler(event, context, cache));
}

export interface RequestHandlerOptions {
  /** Keeps the host running until the promise settles, such as `waitUntil` of @vercel/functions. @default nothing, as a process goes on */
  waitUntil?: WaitUntil;
}

/**
 * A handler of web requests, with a cache for each as the last argument: for Vercel Functions, Next.js, Bun, Deno, and
 * servers for Node that speak `Request` and `Response`.
 * @param source a cache, or what makes one
 */
export function requestHandler<Rest extends unknown[]>(
  source: CacheSource<[]>,
  handler: (request: Request, cache: Cache, ...rest: Rest) => Response | Promise<Response>,
  { waitUntil }: RequestHandlerOptions = {},
): (request: Request, ...rest: Rest) => Promise<Response> {
  const cacheOf = cacheSource(source);
  return (request, ...rest) =>
    withCache(cacheOf(), { waitUntil, signal: request.signal }, (cache) => handler(request, cache, ...rest));
}
