import type { Context, Next } from "hono";
import { addDefaults, hasDefaults, toRequest } from "../http/adapter.js";
import { type Forwarded, type Host, type OriginRequest, UnreachedError } from "../http/host.js";
import { enterCache } from "../http/nesting.js";
import { unconditional } from "../http/rfc/conditional.js";
import type { Fields } from "../http/rfc/message.js";
import type { HonoOptions } from "./options.js";
import type { RoutePolicies } from "./routes.js";
import { executionContext } from "./views.js";

/**
 * Removes the header fields that outer middleware has set on the response so far, such as a request id or CORS. They belong
 * to this client, and must not be stored for other clients. `restorePreset` puts them back.
 */
export function takePreset(c: Context): Fields {
  const preset: [string, string][] = [...c.res.headers];
  // Reset the response completely: Hono would merge it with the handler's response, and replace that by a copy.
  c.res = undefined;
  c.finalized = false;
  for (const [name] of preset) c.header(name, undefined);
  return preset;
}

/**
 * Runs the inner middleware and the handler. Hono's `next()` does not throw: errors went to `onError`.
 * @param options with `cacheControl` and `vary` for the response
 * @param preset the fields that outer middleware had set before
 */
export async function runInner(
  c: Context,
  next: Next,
  { options, policies }: { readonly options: HonoOptions | undefined; readonly policies: RoutePolicies },
  preset: Fields,
): Promise<Forwarded> {
  const before = c.error;
  await next();
  const failed = c.error !== undefined && c.error !== before;
  const route = policies.of(c);
  const defaults = { ...options, ...route?.defaults };
  // They are for responses that may be stored.
  if (!failed && options && hasDefaults(defaults)) {
    changeHeaders(c, (headers) => addDefaults(headers, c.res.status, defaults, preset));
  }
  // The handler has written to Node's own response.
  const isSent = c.res.headers.has("x-hono-already-sent");
  return { response: c.res, failed, preset, storage: route?.storage, isSent };
}

/** Changes the response's headers in place, as a copy would copy the body. Only a fetched response is copied: its headers are read-only. */
export function changeHeaders(c: Context, work: (headers: Headers) => void): void {
  try {
    work(c.res.headers);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    const copy = new Response(c.res.body, c.res);
    work(copy.headers);
    c.res = undefined;
    c.res = copy;
  }
}

/** A request that the middleware has sent through the application. */
export interface InternalRequest {
  /** The request that the handlers get. */
  readonly request: OriginRequest;
  /** The key that the response is stored under, where the application has a `keyGenerator`. */
  readonly key: string | undefined;
  readonly cacheId: string;
  readonly resolve: (forwarded: Forwarded) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Requests that the middleware sends through the application, as `next()` can't be called twice. They are recognised by
 * object identity. No header marks them, so no client can send one.
 */
export class InternalRequests {
  readonly options: HonoOptions;
  readonly policies: RoutePolicies;
  readonly #underway = new WeakMap<Request, InternalRequest>();

  constructor(options: HonoOptions, policies: RoutePolicies) {
    this.options = options;
    this.policies = policies;
  }

  /**
   * Sends the request of `c` through the application once more; `undefined` without the option `app`.
   * @param raw the client's request
   */
  refetch(c: Context, raw: Request, { key, cacheId }: Pick<HostParts, "key" | "cacheId">): Host["refetch"] {
    const { app } = this.options;
    if (!app) return undefined;
    return (request, sent) => {
      const { url } = request;
      const internal = toRequest(raw, { ...request, fields: sent });
      return new Promise<Forwarded>((resolve, reject) => {
        this.#underway.set(internal, { request, key, cacheId: cacheId(), resolve, reject });
        const unreached = (cause: unknown): void =>
          reject(
            new UnreachedError(
              `${url}: a background refresh did not reach httpCache, so the next request validates it; register middleware that refuses requests without credentials inside of httpCache, and give it the application that it is used in, as app`,
              { cause },
            ),
          );
        Promise.resolve(app.fetch(internal, c.env, executionContext(c))).then(unreached, unreached);
      });
    };
  }

  /** The internal request that `c` is for, if it is for one. */
  find(c: Context): InternalRequest | undefined {
    return this.#underway.get(c.req.raw);
  }

  /** Runs the handlers for an internal request, and hands their response to its sender. */
  async answer(c: Context, next: Next, internal: InternalRequest): Promise<void> {
    const preset = takePreset(c);
    const key = await this.options.keyGenerator?.(c);
    if (key === internal.key) await this.#run(c, next, internal, preset);
    else {
      const error = `${c.req.url}: a background refresh made the key ${key} in the place of ${internal.key}`;
      internal.reject(new UnreachedError(error));
    }
    // Outer middleware must not see the response that is stored.
    c.res = undefined;
    c.res = new Response(null, { status: 204 });
  }

  async #run(
    c: Context,
    next: Next,
    { request, cacheId, resolve, reject }: InternalRequest,
    preset: Forwarded["preset"],
  ): Promise<void> {
    const { raw } = c.req;
    c.req.raw = toRequest(raw, request);
    enterCache(c.req.raw, raw, cacheId);
    const forwarded = await runInner(c, next, this, preset ?? []);
    if (forwarded.failed) reject(c.error);
    else resolve(forwarded);
  }
}

/** What a host gets besides the context. */
export interface HostParts {
  readonly waitUntil: (work: Promise<void>) => void;
  /** The key, where the application has a `keyGenerator`. */
  readonly key: string | undefined;
  /** Identifies the cache, so that the same cache further inside recognises it. */
  readonly cacheId: () => string;
}

/** The inner middleware and the handler, as the origin of one request. */
export class HonoHost implements Host {
  readonly waitUntil: (work: Promise<void>) => void;
  readonly #c: Context;
  readonly #next: Next;
  readonly #internal: InternalRequests;
  readonly #parts: HostParts;
  /** The client's request. */
  readonly #raw: Request;
  #preset: Fields | undefined;
  /** The signal of the request that the handler got. */
  #signal: AbortSignal | undefined;

  constructor(c: Context, next: Next, internal: InternalRequests, parts: HostParts) {
    this.#c = c;
    this.#next = next;
    this.#raw = c.req.raw;
    this.#internal = internal;
    this.#parts = parts;
    this.waitUntil = parts.waitUntil;
  }

  get refetch(): Host["refetch"] {
    return this.#internal.refetch(this.#c, this.#raw, this.#parts);
  }

  preset(): Fields {
    this.#preset ??= takePreset(this.#c);
    return this.#preset;
  }

  /** The handler's request stays in place until `restore` is called, as a handler may read it while it streams a body. */
  async forward(request: OriginRequest | undefined): Promise<Forwarded> {
    const preset = this.preset();
    this.#signal = request?.signal;
    if (request) {
      this.#c.req.raw = toRequest(this.#raw, request);
      enterCache(this.#c.req.raw, this.#raw, this.#parts.cacheId());
    }
    const { options, policies } = this.#internal;
    const defaults = { options: request && options, policies };
    const forwarded = await runInner(this.#c, this.#next, defaults, preset);
    const fields = request && unconditional(request.fields);
    // Outer middleware would take the validators of the stored response for the client's own.
    if (request && fields && fields.length < request.fields.length) {
      this.#c.req.raw = toRequest(this.#raw, { ...request, fields });
    }
    return forwarded;
  }

  /** Gives outer middleware the client's request back, unless the handler has yet to see that its signal has fired. */
  restore(): void {
    if (!this.#signal?.aborted) this.#c.req.raw = this.#raw;
  }

  signal(): AbortSignal {
    return this.#raw.signal;
  }
}
