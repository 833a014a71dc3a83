import type {
  FastifyInstance,
  FastifyPluginAsync,
  FastifyReply,
  FastifyRequest,
  RouteHandlerMethod,
  RouteOptions,
} from "fastify";
import { type PurgeMethods, purgeMethods, requireCache, splitOptions } from "../http/adapter.js";
import { HttpCache } from "../http/http-cache.js";
import type { Exchange } from "../http/locate.js";
import { isInsideCache } from "../http/nesting.js";
import { ClientRequest } from "../http/plain-request.js";
import type { RoutePolicy } from "../http/route-policy.js";
import { hasBody, ParsedHeaders } from "../node/request.js";
import { FastifyHost } from "./host.js";
import { type InternalRequest, InternalRequests } from "./internal-requests.js";
import { type FastifyHttpCacheOptions, type FastifyOptions, fastifyChecks } from "./options.js";
import { type PurgeRouteOptions, purgeRoute, type RouteHttpCache, RoutePolicies } from "./routes.js";
import { isRewritten, locationOf } from "./target.js";

/** Methods that purge stored responses: `app.httpCache`. */
export interface FastifyHttpCache extends PurgeMethods {
  /**
   * A handler for PURGE requests, which purges the URL that the client asked for.
   * @example
   * const authorize = (request: FastifyRequest) => request.headers.authorization === `Bearer ${process.env.PURGE_TOKEN}`;
   * app.addHttpMethod("PURGE");
   * app.route({ method: "PURGE", url: "/*", handler: app.httpCache.purgeRoute({ authorize }) });
   * @throws {ConfigurationError} without `authorize`
   */
  purgeRoute(options: PurgeRouteOptions): RouteHandlerMethod;
}

declare module "fastify" {
  interface FastifyInstance {
    /** Purges stored responses. `httpCacheFastify` sets it. */
    httpCache: FastifyHttpCache;
  }
  interface FastifyContextConfig {
    /** Options for the responses of this route, which go before those of `httpCacheFastify`; `false` for no cache. */
    httpCache?: RouteHttpCache;
  }
}

const WHERE = "httpCacheFastify";

/** What is known of a request when its key is. */
interface Begun {
  readonly internal: InternalRequest | undefined;
  readonly policy: RoutePolicy;
  readonly next: () => void;
  readonly key: string | undefined;
}

/** One registration of the plugin, which handles the requests of its context. */
class Registration {
  readonly #own: FastifyOptions;
  readonly #http: HttpCache;
  readonly #policies: RoutePolicies;
  readonly #internalRequests: InternalRequests;
  /** The property of a reply that has its host. The entries of a WeakMap cost the garbage collector a tenth of a hit. */
  readonly #hostOfReply = Symbol(WHERE);
  readonly #trustsFastify: boolean;
  readonly #cacheId: () => string;
  readonly methods: FastifyHttpCache;

  constructor(fastify: FastifyInstance, options: FastifyHttpCacheOptions) {
    const { own, engine } = splitOptions<FastifyOptions>(WHERE, options, fastifyChecks);
    requireCache(WHERE, options);
    this.#own = own;
    this.#http = new HttpCache(engine);
    this.#policies = new RoutePolicies(own);
    this.#internalRequests = new InternalRequests(fastify);
    // The cache's own option goes before Fastify's `trustProxy`.
    this.#trustsFastify = engine.trustForwarded === undefined;
    this.#cacheId = () => this.#http.idOf(own.cache);
    this.methods = {
      ...purgeMethods(WHERE, this.#http, own),
      purgeRoute: (given) => purgeRoute(given, (request, soft) => this.#purge(request, soft)),
    };
  }

  async #purge(request: FastifyRequest, soft: boolean): Promise<number> {
    const { cache, keyGenerator } = this.#own;
    const key = keyGenerator && { key: await keyGenerator(request) };
    return this.#http.purges.url(cache, key ?? this.#http.askedUrl(this.#located(request)) ?? "", { soft });
  }

  #located(request: FastifyRequest): Pick<Exchange, "originalUrl" | "within"> & { readonly request: ClientRequest } {
    const { method, headers } = request;
    const { url, ...mounted } = locationOf(request, this.#trustsFastify);
    return { request: new ClientRequest({ method, url, headers: new ParsedHeaders(headers) }, headers), ...mounted };
  }

  onRequest(request: FastifyRequest, reply: FastifyReply, next: (error?: Error) => void): void {
    const { raw } = request;
    const internal = this.#internalRequests.take(raw);
    const where = (): string => `${request.method} ${request.routeOptions.url ?? request.url}`;
    const policy = this.#policies.of(request);
    if (policy === false || (!internal && isInsideCache(raw, this.#cacheId, where, WHERE))) {
      next();
      return;
    }
    const begin = (key?: string): void => this.#begin(request, reply, { internal, policy, next, key });
    const { keyGenerator } = this.#own;
    if (keyGenerator) Promise.resolve(request).then(keyGenerator).then(begin).catch(next);
    else begin();
  }

  #begin(request: FastifyRequest, reply: FastifyReply, { internal, policy, next, key }: Begun): void {
    const host = new FastifyHost(request, reply, {
      next,
      policy,
      cacheId: this.#cacheId,
      hidden: this.#http.hiddenTagFields,
      refetch: isRewritten(request) ? undefined : this.#internalRequests.refetch(key),
      isInternal: internal !== undefined,
    });
    Reflect.set(reply, this.#hostOfReply, host);
    if (internal) this.#internalRequests.run(internal, host, key);
    else this.#answer(request, host, key);
  }

  #answer(request: FastifyRequest, host: FastifyHost, key: string | undefined): void {
    const exchange = { ...this.#located(request), hasBody: hasBody(request.raw), key, host };
    const abandon = (error: Error): void => host.abandon(error);
    const outcome = this.#http.answer(exchange, this.#own.cache);
    if (outcome instanceof Promise) outcome.then((known) => host.finish(known)).catch(abandon);
    else host.finish(outcome)?.catch(abandon);
  }

  /** Refuses a wrong route when it is added. @throws {ConfigurationError} */
  onRoute({ config, url }: RouteOptions): void {
    if (config?.httpCache !== undefined) this.#policies.check(config.httpCache, url);
  }

  hostOf(reply: FastifyReply): FastifyHost | undefined {
    const host: unknown = Reflect.get(reply, this.#hostOfReply);
    return host instanceof FastifyHost ? host : undefined;
  }
}

const plugin: FastifyPluginAsync<FastifyHttpCacheOptions> = async (fastify, options) => {
  const registration = new Registration(fastify, options);
  fastify.addHook("onRoute", (route) => registration.onRoute(route));
  fastify.addHook("onRequest", (request, reply, next) => registration.onRequest(request, reply, next));
  fastify.addHook("onSend", (_request, reply, payload, next) => {
    const host = registration.hostOf(reply);
    if (host) host.send(payload, next);
    else next();
  });
  fastify.addHook("onError", (_request, reply, error, next) => {
    registration.hostOf(reply)?.fail(error);
    next();
  });
  // Registered twice in one context, the first one stays.
  if (!Object.hasOwn(fastify, "httpCache")) fastify.decorate("httpCache", registration.methods);
};

/**
 * A shared HTTP cache (RFC 9111), kept in Valkey, for the context that it is registered in and those inside. Register it
 * after plugins whose hooks concern one client.
 * @example await app.register(httpCacheFastify, { cache });
 * @throws {ConfigurationError} on wrong options, when the application is ready
 */
export const httpCacheFastify: FastifyPluginAsync<FastifyHttpCacheOptions> = /* @__PURE__ */ Object.assign(plugin, {
  // Fastify keeps hooks of other plugins in a context of their own.
  [Symbol.for("skip-override")]: true,
  [Symbol.for("fastify.display-name")]: "valkey-edge-cache",
  [Symbol.for("plugin-meta")]: { name: "valkey-edge-cache", fastify: "5.x" },
});
