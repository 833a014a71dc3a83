import { type PurgeMethods, purgeMethods, requireCache, splitOptions } from "../http/adapter.js";
import type { Answer } from "../http/answer.js";
import { HttpCache, type Outcome } from "../http/http-cache.js";
import { isInsideCache } from "../http/nesting.js";
import { ClientRequest } from "../http/plain-request.js";
import { restorePreset } from "../http/preset-fields.js";
import { type PurgeRequestOptions, purgeReplies } from "../http/purge-route.js";
import { isSafe } from "../http/rfc/invalidation.js";
import { toFields } from "../http/rfc/message.js";
import type { RoutePolicyOptions } from "../http/route-policy.js";
import type { Next, NodeRequest, NodeResponse } from "./messages.js";
import { type NodeHttpCacheOptions, type NodeListener, type NodeOptions, nodeChecks, Policies } from "./options.js";
import { InternalRequests, NodeHost, type Run } from "./origin.js";
import { hasBody, isOriginForm, locationOf, ParsedHeaders } from "./request.js";
import { SinkHeaders, sendAnswer } from "./send.js";

const WHERE = "httpCacheNode";

/** Options of `purgeRoute()`. */
export interface PurgeRouteOptions extends PurgeRequestOptions<NodeRequest> {}

/** The middleware, and methods that purge stored responses. */
export interface HttpCacheNode extends PurgeMethods {
  (req: NodeRequest, res: NodeResponse, next: Next): void;
  /**
   * A listener for `createServer` of `node:http` and `node:http2`, with the cache in front of the given one. An error that
   * it throws, or a promise of it that rejects, is answered with 500 where nothing is stored, and goes to `onError`.
   * @example createServer(http.wrap((req, res) => res.end("hello")));
   */
  wrap(listener: NodeListener): (req: NodeRequest, res: NodeResponse) => void;
  /**
   * A handler for PURGE requests, which purges the URL that the client asked for. Other requests go on.
   * @example
   * const authorize = (req) => req.headers.authorization === `Bearer ${process.env.PURGE_TOKEN}`;
   * app.use(http.purgeRoute({ authorize }));
   * @throws {ConfigurationError} without `authorize`
   */
  purgeRoute(options: PurgeRouteOptions): (req: NodeRequest, res: NodeResponse, next: Next) => void;
  /**
   * Middleware with options for the responses of one route, which go before those of `httpCacheNode` and its `routes`.
   * @example app.get("/prices", http.policy({ ttl: "10s" }), handler);
   * @throws {ConfigurationError} on options that a route can't have
   */
  policy(options: RoutePolicyOptions): (req: NodeRequest, res: NodeResponse, next: Next) => void;
}

/**
 * A shared HTTP cache (RFC 9111), kept in Valkey, for Express, Connect, `node:http` and `node:http2`. Register it before the
 * handlers and after middleware for one client.
 * @example app.use("/api", httpCacheNode({ cache }));
 * @throws {ConfigurationError} on wrong options
 */
export function httpCacheNode(options: NodeHttpCacheOptions): HttpCacheNode {
  const { own, engine } = splitOptions<NodeOptions>(WHERE, options, nodeChecks);
  requireCache(WHERE, own);
  const { cache, keyGenerator } = own;
  const http = new HttpCache(engine);
  const policies = new Policies();
  const cacheId = (): string => http.idOf(cache);

  /** Errors of handlers that no framework has caught. */
  const report = (error: unknown, req: NodeRequest): void => {
    if (options.onError) options.onError(error, { method: "handler", key: String(req.url) });
    else console.error(error);
  };

  const handle = (req: NodeRequest, res: NodeResponse, next: Next, internals: InternalRequests): void => {
    let reported: unknown;
    const reportOnce = (error: unknown): void => {
      if (error !== reported) report(error, req);
      reported = error;
    };
    const run: Run = () => reporting(next, reportOnce);
    const internal = internals.find(req);
    if (internal) return void internals.answer(req, res, run, internal, cacheId());
    const method = req.method ?? "";
    const isOthers = res.headersSent || res.writableEnded || (!isOriginForm(req) && isSafe(method));
    const route = (): string => `${method} ${req.url}`;
    if (isOthers || isInsideCache(req, cacheId, route, WHERE)) return void next();
    let host: NodeHost | undefined;
    const failed = (error: unknown): void => {
      if (!host?.capture) return void next(error);
      if (!host.capture.isDestroyed) reportOnce(error);
      fail(host, error);
    };
    const begin = (key: string | undefined): void | Promise<void> => {
      const asked = new NodeHost(req, res, run, internals, { key, cacheId });
      host = asked;
      const { url, ...mounted } = locationOf(req);
      const { headers } = req;
      const request = new ClientRequest({ method, url, headers: new ParsedHeaders(headers) }, headers);
      const outcome = http.answer({ request, ...mounted, hasBody: hasBody(req), key, host: asked }, cache);
      const end = (known: Outcome): void => finish(req, res, known, asked, http.hiddenTagFields);
      return outcome instanceof Promise ? outcome.then(end) : end(outcome);
    };
    const done = keyGenerator ? Promise.resolve(req).then(keyGenerator).then(begin) : begin(undefined);
    if (done) done.catch(failed);
  };

  const internals = new InternalRequests(own, policies);
  const middleware = (req: NodeRequest, res: NodeResponse, next: Next): void => handle(req, res, next, internals);

  const methods: Omit<HttpCacheNode, never> = {
    ...purgeMethods(WHERE, http, own),
    wrap: (listener: NodeListener) => {
      const wrapped = (req: NodeRequest, res: NodeResponse): void => {
        const next = (error?: unknown): unknown => {
          if (error === undefined) return listener(req, res);
          report(error, req);
          res.statusCode = 500;
          return res.end();
        };
        handle(req, res, next, wrappedRequests);
      };
      const wrappedRequests = new InternalRequests(own, policies, wrapped);
      return wrapped;
    },
    purgeRoute: (given: PurgeRouteOptions) => {
      const reply = purgeReplies(`${WHERE}.purgeRoute`, given, async (req: NodeRequest, soft) => {
        const { url, originalUrl = url } = locationOf(req);
        const request = new ClientRequest({ method: "GET", url, headers: new ParsedHeaders(req.headers) });
        const key = keyGenerator ? { key: await keyGenerator(req) } : undefined;
        return http.purges.url(cache, key ?? http.askedUrl({ request, originalUrl }) ?? "", { soft });
      });
      return (req: NodeRequest, res: NodeResponse, next: Next): void => {
        if (req.method !== "PURGE") return void next();
        reply(req).then(({ status, body }) => {
          res.statusCode = status;
          res.setHeader("Content-Type", "application/json");
          res.setHeader("Cache-Control", "no-store");
          res.end(JSON.stringify(body));
        }, next);
      };
    },
    policy: (given: RoutePolicyOptions) => {
      const set = policies.setter(`${WHERE}.policy`, given);
      return (req: NodeRequest, _res: NodeResponse, next: Next): void => {
        set(req);
        next();
      };
    },
  };
  return Object.assign(middleware, methods);
}

/** Runs handlers. @throws what they throw */
function reporting(next: Next, report: (error: unknown) => void): unknown {
  try {
    const running = next();
    if (running instanceof Promise) running.catch(report);
    return running;
  } catch (error) {
    report(error);
    throw error;
  }
}

/** Answers a request whose handlers have failed. */
function fail(host: NodeHost, error: unknown): void {
  const { capture } = host;
  if (!capture) return;
  capture.fail(new Error("the response can't be used", { cause: error }));
  if (!capture.isDestroyed) {
    try {
      host.presetFields().putBack(capture.outer);
      sendAnswer(
        capture.outer,
        { status: 500, fields: [], body: null },
        { isHead: false, preset: [], hidden: [], gone: () => host.signal() },
      );
      return;
    } catch {
      // The head was sent already.
    }
  }
  capture.outer.destroy(error instanceof Error ? error : undefined);
}

/** Sends the outcome to the client. */
function finish(
  req: NodeRequest,
  res: NodeResponse,
  outcome: Outcome,
  host: NodeHost,
  hidden: readonly string[],
): void {
  const { capture } = host;
  const preset = host.presetFields();
  if (capture && "forwarded" in outcome && outcome.forwarded === host.forwarded) {
    const { member } = outcome;
    capture.pass(() => {
      const headers = new SinkHeaders(capture.outer);
      restorePreset(headers, preset.fields);
      if (member === undefined) return;
      headers.append("cache-status", member);
      for (const name of hidden) capture.outer.removeHeader(name);
    });
    host.restore();
    return;
  }
  const answer = "answer" in outcome ? outcome.answer : toAnswer(outcome);
  const isHead = req.method === "HEAD";
  if (capture) {
    preset.putBack(capture.outer);
    if (res.statusMessage && req.httpVersionMajor < 2 && answer.status !== capture.status) res.statusMessage = "";
    if (answer.isUnderway) res.on("close", () => host.restore());
    else host.restore();
  }
  const flush = capture && (() => capture.flush());
  sendAnswer(capture?.outer ?? res, answer, {
    isHead,
    preset: preset.fields,
    hidden,
    flush,
    gone: () => host.signal(),
  });
  capture?.keepStatus(answer.status);
}

/** The response to a request that the cache has sent itself. */
function toAnswer({ forwarded: { response }, member }: Extract<Outcome, { forwarded: unknown }>): Answer {
  const fields = toFields(response.headers);
  const { status, body } = response;
  return { status, fields: member === undefined ? fields : [...fields, ["cache-status", member]], body };
}
