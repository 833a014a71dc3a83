import type { Context, Next } from "hono";
import type { Forwarded, Host, OriginRequest } from "../http/engine/host.js";
import { runInner, toRequest } from "./http-cache-inner.js";
import type { HonoOptions } from "./http-cache-options.js";
import { takeOuter } from "./http-cache-outer.js";
import { executionContext } from "./http-cache-views.js";

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
