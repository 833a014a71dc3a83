import { addDefaults } from "../http/adapter.js";
import { type Forwarded, type Host, type OriginRequest, UnreachedError } from "../http/host.js";
import { enterCache } from "../http/nesting.js";
import type { Fields } from "../http/rfc/message.js";
import { Capture } from "./capture.js";
import { type Method, methodOf, type NodeRequest, type NodeResponse, property, type Sink } from "./messages.js";
import type { NodeListener, NodeOptions, Policies } from "./options.js";
import { substitute, withQueryOf } from "./request.js";
import { fieldsOf, Preset, SinkHeaders } from "./send.js";
import { syntheticRequest } from "./synthetic.js";

/** Statuses that a web response can have. Others are sent as they are. */
const isOrdinary = (status: number): boolean => status >= 200 && status <= 599;

/** Runs the inner handlers. It may throw, or reject. */
export type Run = () => unknown;

/** Takes a response from inner handlers. */
export class Inner {
  readonly capture: Capture;
  readonly preset: Preset;
  readonly #req: NodeRequest;
  readonly #res: NodeResponse;
  readonly #application: Pick<InternalRequests, "options" | "policies">;

  constructor(req: NodeRequest, res: NodeResponse, preset: Preset, application: InternalRequests) {
    this.#req = req;
    this.#res = res;
    this.#application = application;
    this.capture = new Capture(req, res);
    this.preset = preset;
    preset.takeFrom(this.capture.outer);
  }

  /** @param request what the handlers see; `undefined` for the client's own, of which nothing is stored */
  async respond(request: OriginRequest | undefined, run: Run): Promise<Forwarded> {
    const { capture, preset } = this;
    if (request) {
      capture.holdClose();
      const over = (): unknown => capture.fail(new Error("the response is not wanted any more"));
      if (request.signal.aborted) over();
      else request.signal.addEventListener("abort", over, { once: true });
    }
    const failed = (error: unknown): void => {
      const isUsed = capture.fail(toError(error));
      if (!isUsed && !this.#res.writableEnded) this.#res.destroy();
    };
    try {
      const running = run();
      if (running instanceof Promise) running.catch(failed);
    } catch (error) {
      failed(error);
    }
    await capture.head;
    const { status, outer } = capture;
    const headers = new SinkHeaders(outer);
    const { options, policies } = this.#application;
    const policy = policies.of(this.#req);
    if (request) addDefaults(headers, status, { ...options, ...policy?.defaults }, preset.fields);
    const made = isOrdinary(status) ? this.#response(status, outer) : undefined;
    // Fields that follow the body can't be kept, and the lifetime of a page is not that of an error in its place.
    const only: Fields = headers.has("trailer") || capture.hasFailedLate ? [["cache-control", "no-store"]] : [];
    return {
      response: made ?? new Response(null, { status: 599 }),
      failed: false,
      preset: [...preset.fields, ...only],
      storage: policy?.storage,
      isSent: made === undefined,
    };
  }

  /** `undefined` for what only Node can send. */
  #response(status: number, sink: Sink): Response | undefined {
    try {
      const headers = fieldsOf(sink.getHeaders()).map(([name, value]): [string, string] => [name, value]);
      const body = this.capture.isEmpty ? null : this.capture.body();
      return new Response(body, { status, headers });
    } catch {
      return undefined;
    }
  }
}

function toError(error: unknown): Error {
  return error instanceof Error ? error : new Error("the handler has failed", { cause: error });
}

/** A request that the cache has sent through the application. */
export interface InternalRequest {
  /** The request that the handlers see. */
  readonly request: OriginRequest;
  readonly key: string | undefined;
  readonly resolve: (forwarded: Forwarded) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Requests that the cache sends through the application, as `next()` can't be called twice. They are recognised by object
 * identity. No header field marks them, so no client can send one.
 */
export class InternalRequests {
  readonly options: NodeOptions;
  readonly policies: Policies;
  readonly #underway = new WeakMap<object, InternalRequest>();

  readonly #fallback: NodeListener | undefined;

  /** @param fallback what a request is sent through where the application is not known */
  constructor(options: NodeOptions, policies: Policies, fallback?: NodeListener) {
    this.options = options;
    this.policies = policies;
    this.#fallback = fallback;
  }

  /** Sends a client's request through the application once more; `undefined` where the application is not known. */
  refetch(req: NodeRequest, key: string | undefined): Host["refetch"] {
    const app = this.options.app ?? applicationOf(req) ?? serverOf(req) ?? this.#fallback;
    if (!app) return undefined;
    return (request, sent) => {
      const { url } = request;
      const internal = syntheticRequest(wholeUrl(url, req), sent);
      return new Promise<Forwarded>((resolve, reject) => {
        this.#underway.set(internal.req, { request, key, resolve, reject });
        const unreached = (cause: unknown): void =>
          reject(
            new UnreachedError(
              `${url}: a background refresh did not reach httpCacheNode, so the next request validates it; register middleware that refuses requests without credentials inside of httpCacheNode, and give it the outermost application, as app`,
              { cause },
            ),
          );
        internal.res.on("close", unreached);
        try {
          const running = app(internal.req, internal.res);
          if (running instanceof Promise) running.catch(unreached);
        } catch (error) {
          unreached(error);
        }
      });
    };
  }

  find(req: NodeRequest): InternalRequest | undefined {
    return this.#underway.get(req);
  }

  /** Runs the handlers for an internal request, and hands their response to its sender. */
  async answer(
    req: NodeRequest,
    res: NodeResponse,
    run: Run,
    internal: InternalRequest,
    cacheId: string,
  ): Promise<void> {
    const { request, resolve, reject } = internal;
    this.#underway.delete(req);
    let inner: Inner | undefined;
    try {
      const key = await this.options.keyGenerator?.(req);
      if (key !== internal.key) {
        throw new UnreachedError(
          `${request.url}: a background refresh made the key ${key} in the place of ${internal.key}`,
        );
      }
      inner = new Inner(req, res, new Preset(res), this);
      substitute(req, request);
      enterCache(req, req, cacheId);
      resolve(await inner.respond(request, run));
      // Outer middleware must not see the response that is stored.
      inner.preset.putBack(inner.capture.outer);
      inner.capture.outer.writeHead(204);
      inner.capture.outer.end();
    } catch (error) {
      reject(error);
      (inner?.capture.outer ?? res).destroy();
    }
  }
}

/** The outermost application of Express that a request has come through, where its mounts explain the request's path. */
function applicationOf(req: NodeRequest): Method | undefined {
  let app = property(req, "app");
  if (typeof app !== "function") return undefined;
  const url = req.url ?? "";
  const { originalUrl, baseUrl } = { originalUrl: property(req, "originalUrl"), baseUrl: property(req, "baseUrl") };
  if (typeof originalUrl !== "string" || typeof baseUrl !== "string") return undefined;
  if (originalUrl !== baseUrl + url && originalUrl !== baseUrl + url.replace(/^\//, "")) return undefined;
  for (let parent = property(app, "parent"); typeof parent === "function"; parent = property(app, "parent"))
    app = parent;
  const outermost = app;
  return (...args) => (typeof outermost === "function" ? Reflect.apply(outermost, undefined, args) : undefined);
}

/** The listeners of the server that a request has come to. */
function serverOf(req: NodeRequest): Method | undefined {
  const server = property(req.socket, "server");
  const emit = typeof server === "object" && server !== null ? methodOf(server, "emit") : undefined;
  return emit && ((...args) => void emit("request", ...args));
}

/** The URL by which the outermost application routes. */
function wholeUrl(url: string, req: NodeRequest): string {
  const whole = property(req, "originalUrl");
  if (typeof whole !== "string") return url;
  const { origin } = new URL(url);
  return origin + withQueryOf(whole, url);
}

/** The inner handlers, as the origin of one request. */
export class NodeHost implements Host {
  readonly #req: NodeRequest;
  readonly #res: NodeResponse;
  readonly #run: Run;
  readonly #internal: InternalRequests;
  readonly #key: string | undefined;
  readonly #cacheId: () => string;
  #preset: Preset | undefined;
  #inner: Inner | undefined;
  #forwarded: Forwarded | undefined;
  #restore: (() => void) | undefined;
  #refetch: Host["refetch"];
  #gone: AbortController | undefined;

  constructor(
    req: NodeRequest,
    res: NodeResponse,
    run: Run,
    internal: InternalRequests,
    { key, cacheId }: { readonly key: string | undefined; readonly cacheId: () => string },
  ) {
    this.#req = req;
    this.#res = res;
    this.#run = run;
    this.#internal = internal;
    this.#key = key;
    this.#cacheId = cacheId;
  }

  /** Found once: a request has lost its connection when the refresh begins. */
  get refetch(): Host["refetch"] {
    this.#refetch ??= this.#internal.refetch(this.#req, this.#key);
    return this.#refetch;
  }

  /** The capture of the handlers' response, once they were asked. */
  get capture(): Capture | undefined {
    return this.#inner?.capture;
  }

  /** What the handlers have answered. */
  get forwarded(): Forwarded | undefined {
    return this.#forwarded;
  }

  preset(): Fields {
    return this.presetFields().fields;
  }

  presetFields(): Preset {
    this.#preset ??= new Preset(this.#res);
    return this.#preset;
  }

  async forward(request: OriginRequest | undefined): Promise<Forwarded> {
    this.signal();
    const req = this.#req;
    this.#inner = new Inner(req, this.#res, this.presetFields(), this.#internal);
    if (request) {
      this.#restore = substitute(req, request);
      enterCache(req, req, this.#cacheId());
    }
    this.#forwarded = await this.#inner.respond(request, this.#run);
    return this.#forwarded;
  }

  /** Gives the request back what the client has sent. */
  restore(): void {
    this.#restore?.();
    this.#restore = undefined;
  }

  waitUntil(): void {
    // The process goes on.
  }

  signal(): AbortSignal {
    if (this.#gone) return this.#gone.signal;
    const controller = new AbortController();
    this.#gone = controller;
    const res = this.#res;
    let isFinished = false;
    res.on("finish", () => (isFinished = true));
    res.on("close", () => {
      if (!isFinished || property(property(res, "stream"), "aborted") === true) controller.abort();
    });
    return controller.signal;
  }
}
