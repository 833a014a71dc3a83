import type { Context, Next } from "hono";
import type { Forwarded, Host } from "../http/engine/host.js";
import { runInner } from "./http-cache-inner.js";
import type { HonoOptions } from "./http-cache-options.js";
import { takeOuter } from "./http-cache-outer.js";
import { executionContext } from "./http-cache-views.js";

/** Who asked, and waits for the response. */
export interface Waiter {
  readonly resolve: (forwarded: Forwarded) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Requests of the middleware's own: they go through the application like any other, as `next()` can't be called again, and
 * are known by the object that they are. No header marks them, so no client can make one.
 */
export class Dispatches {
  readonly #options: HonoOptions;
  readonly #waiting = new WeakMap<Request, Waiter>();

  constructor(options: HonoOptions) {
    this.#options = options;
  }

  /** Asks the application again for what `c` asked; `undefined` where there is none to ask. */
  again(c: Context): Host["again"] {
    const { app } = this.#options;
    if (!app) return undefined;
    return ({ url, fields }) => {
      const request = new Request(url, { headers: fields.map(([name, value]) => [name, value]) });
      return new Promise<Forwarded>((resolve, reject) => {
        this.#waiting.set(request, { resolve, reject });
        const unreached = (cause: unknown): void =>
          reject(
            new Error(`${url} did not reach httpCache again; give it the application that it is used in, as app`, {
              cause,
            }),
          );
        Promise.resolve(app.fetch(request, c.env, executionContext(c))).then(unreached, unreached);
      });
    };
  }

  /** Who waits for the response, where the request is one of these. */
  waiter(c: Context): Waiter | undefined {
    return this.#waiting.get(c.req.raw);
  }

  /** Has one of these requests answered. */
  async answer(c: Context, next: Next, waiter: Waiter): Promise<void> {
    const forwarded = await runInner(c, next, this.#options, takeOuter(c));
    if (forwarded.failed) waiter.reject(c.error);
    else waiter.resolve(forwarded);
    // The middleware outside has nothing to do with what is stored.
    c.res = undefined;
    c.res = new Response(null, { status: 204 });
  }
}
