import type { Cache } from "../cache/cache.js";
import { type Checks, isFunction } from "../core/options.js";
import {
  type AdapterOptions,
  adapterChecks,
  addDefaults,
  hasDefaults,
  isCache,
  type PurgeMethods,
  purgeMethods,
  requireCache,
  splitOptions,
  toRequest,
} from "../http/adapter.js";
import type { Forwarded, Host, OriginRequest } from "../http/host.js";
import { HttpCache } from "../http/http-cache.js";
import { enterCache, isInsideCache } from "../http/nesting.js";
import type { HttpCacheOptions } from "../http/options.js";
import { ClientRequest } from "../http/plain-request.js";
import { requestViews, type WaitUntil } from "../http/views.js";
import { fromOutcome, withHeaders } from "./response.js";

/** A function that answers web requests. The arguments after the request are the host's own. */
export type WebHandler<Rest extends unknown[] = []> = (request: Request, ...rest: Rest) => Response | Promise<Response>;

/** Options of `cachedHandler` besides those of the cache. */
export interface HandlerOptions<Rest extends unknown[] = []> extends AdapterOptions<Request> {
  /** Where responses are kept. */
  cache: Cache;
  /** Keeps the host running until the promise settles. @default the method of this name that the last argument with one has, such as Workers' `ctx` */
  waitUntil?: ((work: Promise<void>, request: Request, ...rest: Rest) => void) | undefined;
}

/** Options of `cachedHandler`: its own, and those of the cache itself. */
export interface CachedHandlerOptions<Rest extends unknown[] = []> extends HandlerOptions<Rest>, HttpCacheOptions {}

/** A handler with the cache in front, and methods that purge stored responses. */
export interface CachedHandler<Rest extends unknown[] = []> extends PurgeMethods {
  (request: Request, ...rest: Rest): Promise<Response>;
}

const handlerChecks: Checks<HandlerOptions> = /* @__PURE__ */ (() => ({
  ...adapterChecks,
  cache: isCache,
  waitUntil: isFunction,
}))();

/**
 * Puts a shared HTTP cache (RFC 9111) in front of a web handler. A stale response is refreshed by calling the handler again
 * with the same arguments.
 * @param handler of `Bun.serve`, `Deno.serve`, Workers, a Next or SvelteKit route: anything from a Request to a Response
 * @example Deno.serve(cachedHandler(handler, { cache, routes: { "/products/*": { ttl: "1m" } } }));
 * @throws {ConfigurationError} on wrong options
 */
export function cachedHandler<Rest extends unknown[]>(
  handler: WebHandler<Rest>,
  options: CachedHandlerOptions<Rest>,
): CachedHandler<Rest> {
  const { own, engine } = splitOptions<HandlerOptions<Rest>>("cachedHandler", options, handlerChecks);
  requireCache("cachedHandler", own);
  const { cache, keyGenerator } = own;
  const http = new HttpCache(engine);
  const useView = requestViews();
  const cached = async (request: Request, ...rest: Rest): Promise<Response> => {
    const name = handler.name === "" ? "a handler" : handler.name;
    if (
      isInsideCache(
        request,
        () => http.idOf(cache),
        () => name,
        "cachedHandler",
      )
    )
      return handler(request, ...rest);
    const key = keyGenerator ? await keyGenerator(request) : undefined;
    const keepRunning = (work: Promise<void>): void => {
      if (own.waitUntil) own.waitUntil(work, request, ...rest);
      else waitUntilOf([request, ...rest])?.(work);
    };
    return useView(cache, keepRunning, async (view, waitUntil) => {
      const call = (given: Request) => handler(given, ...rest);
      const host = new HandlerHost(call, { request, options: own, waitUntil, cacheId: () => http.idOf(view) });
      const outcome = await http.answer({ request: new ClientRequest(request), hasBody: false, key, host }, view);
      return fromOutcome(outcome, { isHead: request.method === "HEAD", hidden: http.hiddenTagFields });
    });
  };
  return Object.assign(cached, purgeMethods("cachedHandler", http, own));
}

/** The `waitUntil` of the last argument that has one: the context of Workers, Vercel and Netlify, or a request of srvx. */
function waitUntilOf(given: readonly unknown[]): WaitUntil | undefined {
  const context = given.findLast(hasWaitUntil);
  return context && ((work) => context.waitUntil(work));
}

function hasWaitUntil(value: unknown): value is { waitUntil: WaitUntil } {
  return typeof value === "object" && value !== null && "waitUntil" in value && typeof value.waitUntil === "function";
}

interface HostParts {
  /** The client's request. */
  readonly request: Request;
  readonly options: Pick<AdapterOptions<Request>, "cacheControl" | "vary">;
  readonly waitUntil: WaitUntil;
  /** Identifies the cache, so that the same cache further inside recognises it. */
  readonly cacheId: () => string;
}

/** A handler as the origin of one request. */
class HandlerHost implements Host {
  readonly waitUntil: WaitUntil;
  readonly #call: (request: Request) => Response | Promise<Response>;
  readonly #parts: HostParts;

  constructor(call: (request: Request) => Response | Promise<Response>, parts: HostParts) {
    this.#call = call;
    this.#parts = parts;
    this.waitUntil = parts.waitUntil;
  }

  async forward(request: OriginRequest | undefined): Promise<Forwarded> {
    if (request) return this.refetch(request);
    return { response: await this.#call(this.#parts.request), failed: false };
  }

  async refetch(origin: OriginRequest): Promise<Forwarded> {
    const { request, options, cacheId } = this.#parts;
    const inner = toRequest(request, origin);
    enterCache(inner, request, cacheId());
    const response = await this.#call(inner);
    if (!hasDefaults(options)) return { response, failed: false };
    const { status } = response;
    return { response: withHeaders(response, (headers) => addDefaults(headers, status, options)), failed: false };
  }

  preset(): [] {
    return [];
  }

  signal(): AbortSignal {
    return this.#parts.request.signal;
  }
}
