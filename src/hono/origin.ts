import type { Context, Next } from "hono";
import { keepsRequestsApart } from "../core/runtime.js";
import type { Forwarded, Host, OriginRequest } from "../http/host.js";
import { mergeCacheControl } from "../http/rfc/cache-control.js";
import { unconditional } from "../http/rfc/conditional.js";
import { type Fields, hasField } from "../http/rfc/message.js";
import type { HonoOptions } from "./options.js";
import { executionContext } from "./views.js";

/** Fields that add up: a response has what middleware outside says, and what it says itself. */
const LISTS: ReadonlySet<string> = new Set(["cache-groups", "cache-tag", "set-cookie", "surrogate-key", "vary"]);

/**
 * Takes off what middleware outside has put into the response so far, such as a request id or CORS: it is this client's, and
 * must not be stored for others. `restoreOuter` puts it back.
 */
export function takeOuter(c: Context): Fields {
  const outer: [string, string][] = [...c.res.headers];
  // Gone as if never touched: Hono would merge it with the handler's response, and so replace that by a copy.
  c.res = undefined;
  c.finalized = false;
  for (const [name] of outer) c.header(name, undefined);
  return outer;
}

/**
 * Puts back what was taken off, as Hono merges headers: what the response has of its own stays, lists add up, and of two
 * words about caching the stricter one stays.
 */
export function restoreOuter(headers: Headers, outer: Fields): void {
  for (const [name, value] of outer) {
    const own = headers.get(name);
    if (name === "expires") restoreExpires(headers, own, value);
    else if (own === null) headers.set(name, value);
    else if (LISTS.has(name)) headers.append(name, value);
    else if (name.endsWith("cache-control") && own !== value) headers.set(name, mergeCacheControl(own, value));
  }
}

/** The earlier of two, and no `max-age` beyond it: that would go first. RFC 9111 §5.3. */
function restoreExpires(headers: Headers, own: string | null, value: string): void {
  const leftMs = Math.max(0, Date.parse(value) - Date.now()) || 0;
  if (own === null || (Date.parse(own) || 0) - Date.now() > leftMs) headers.set("expires", value);
  const control = headers.get("cache-control");
  if (control !== null)
    headers.set("cache-control", mergeCacheControl(control, `max-age=${Math.floor(leftMs / 1_000)}`));
}

/**
 * The response of the handlers behind the middleware. Hono's `next()` doesn't throw: errors went to `onError`.
 * @param preset what middleware outside had set before
 */
export async function runInner(c: Context, next: Next, options: HonoOptions, preset: Fields): Promise<Forwarded> {
  const before = c.error;
  await next();
  const failed = c.error !== undefined && c.error !== before;
  return { response: failed ? c.res : withDefaults(c.res, options, preset), failed, preset };
}

function withDefaults(response: Response, { cacheControl, vary }: HonoOptions, preset: Fields): Response {
  const hasControl = response.headers.has("cache-control") || hasField(preset, "cache-control");
  const addsControl = cacheControl !== undefined && !hasControl;
  if (!addsControl && vary === undefined) return response;
  const changed = new Response(response.body, response);
  if (addsControl) changed.headers.set("cache-control", cacheControl);
  for (const name of vary === undefined ? [] : [vary].flat()) changed.headers.append("vary", name);
  return changed;
}

/** A request as handlers are to see it. In Workers it carries more than its parts; elsewhere it may only look like one. */
export function toRequest(raw: Request, { url, fields, signal }: OriginRequest): Request {
  const headers = fields.map(([name, value]): [string, string] => [name, value]);
  if (!keepsRequestsApart()) return new Request(url, { method: raw.method, headers, signal });
  return new Request(raw.url === url ? raw : new Request(url, raw), { headers, signal });
}

/** A request of the middleware's own, on its way through the application. */
export interface Dispatch {
  /** As the handlers are to see it. */
  readonly request: OriginRequest;
  /** The key that the response is for, where the application makes its keys. */
  readonly key: string | undefined;
  readonly resolve: (forwarded: Forwarded) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Requests of the middleware's own: they go through the application like any other, as `next()` can't be called again, and
 * are known by the object that they are. No header marks them, so no client can make one.
 */
export class Dispatches {
  readonly #options: HonoOptions;
  readonly #underway = new WeakMap<Request, Dispatch>();

  constructor(options: HonoOptions) {
    this.#options = options;
  }

  /** Asks the application again for what `c` asked; `undefined` where there is none to ask. */
  again(c: Context, key: string | undefined): Host["again"] {
    const { app } = this.#options;
    if (!app) return undefined;
    const { raw } = c.req;
    return (request, sent) => {
      const { url } = request;
      const dispatched = toRequest(raw, { ...request, fields: sent });
      return new Promise<Forwarded>((resolve, reject) => {
        this.#underway.set(dispatched, { request, key, resolve, reject });
        const unreached = (cause: unknown): void =>
          reject(
            new Error(`${url} did not reach httpCache again; give it the application that it is used in, as app`, {
              cause,
            }),
          );
        Promise.resolve(app.fetch(dispatched, c.env, executionContext(c))).then(unreached, unreached);
      });
    };
  }

  /** Where the request is one of these. */
  find(c: Context): Dispatch | undefined {
    return this.#underway.get(c.req.raw);
  }

  /** Has one of these requests answered. */
  async answer(c: Context, next: Next, dispatch: Dispatch): Promise<void> {
    const preset = takeOuter(c);
    const key = await this.#options.keyGenerator?.(c);
    if (key === dispatch.key) await this.#run(c, next, dispatch, preset);
    else
      dispatch.reject(
        new Error(`${c.req.url}: a background refresh made the key ${key} in the place of ${dispatch.key}`),
      );
    // The middleware outside has nothing to do with what is stored.
    c.res = undefined;
    c.res = new Response(null, { status: 204 });
  }

  async #run(
    c: Context,
    next: Next,
    { request, resolve, reject }: Dispatch,
    preset: Forwarded["preset"],
  ): Promise<void> {
    c.req.raw = toRequest(c.req.raw, request);
    const forwarded = await runInner(c, next, this.#options, preset ?? []);
    if (forwarded.failed) reject(c.error);
    else resolve(forwarded);
  }
}

/** The handlers behind the middleware as the origin of one request. */
export class HonoHost implements Host {
  readonly again: Host["again"];
  readonly waitUntil: (work: Promise<void>) => void;
  readonly #c: Context;
  readonly #next: Next;
  readonly #options: HonoOptions;
  /** The client's request. */
  readonly #raw: Request;
  #preset: Fields | undefined;
  /** The handler's. */
  #signal: AbortSignal | undefined;

  constructor(
    c: Context,
    next: Next,
    options: HonoOptions,
    dispatches: Dispatches,
    waitUntil: (work: Promise<void>) => void,
    key: string | undefined,
  ) {
    this.#c = c;
    this.#next = next;
    this.#options = options;
    this.#raw = c.req.raw;
    this.again = dispatches.again(c, key);
    this.waitUntil = waitUntil;
  }

  preset(): Fields {
    this.#preset ??= takeOuter(this.#c);
    return this.#preset;
  }

  /** Handlers go on to see `request` until `restore` is called: what makes a body looks at it for as long as that takes. */
  async forward(request: OriginRequest | undefined): Promise<Forwarded> {
    const preset = this.preset();
    this.#signal = request?.signal;
    if (request) this.#c.req.raw = toRequest(this.#raw, request);
    const forwarded = await runInner(this.#c, this.#next, this.#options, preset);
    const fields = request && unconditional(request.fields);
    // Middleware outside would take the validators of the stored response for the client's own.
    if (request && fields && fields.length < request.fields.length) {
      this.#c.req.raw = toRequest(this.#raw, { ...request, fields });
    }
    return forwarded;
  }

  /** Gives middleware outside the client's request back, unless its handler has yet to see that it is not wanted any more. */
  restore(): void {
    if (!this.#signal?.aborted) this.#c.req.raw = this.#raw;
  }

  signal(): AbortSignal {
    return this.#raw.signal;
  }
}
