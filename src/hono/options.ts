import type { Context } from "hono";
import type { Cache } from "../cache/cache.js";
import { type Check, type Checks, isFunction, isImplementation } from "../core/options.js";
import { type AdapterOptions, adapterChecks, isCache } from "../http/adapter.js";
import type { HttpCacheOptions } from "../http/options.js";

/** An application, as far as it takes to ask it again. */
export interface Dispatcher {
  fetch(request: Request, env?: unknown, executionCtx?: unknown): Response | Promise<Response>;
}

/** What belongs to Hono alone. */
export interface HonoOptions extends AdapterOptions<Context> {
  /** Where responses are kept. @default `c.var.cache`, as `valkeyCache()` sets it */
  cache?: Cache | undefined;
  /** The application that the middleware is used in: with it, stale responses are refreshed in the background. @default the next client waits for it */
  app?: Dispatcher | undefined;
  /**
   * The path under which the application is mounted, such as `"/admin"`, where the cache can't see it: with `hono/mount`
   * or a handler of your own, unless `app.mount()` or node-server says what it is. @default none
   */
  mountPath?: string | undefined;
  /** Keeps the host running until the promise settles. @default `c.executionCtx.waitUntil`, where the host has it */
  waitUntil?: ((c: Context, work: Promise<void>) => void) | undefined;
}

/** Options of `httpCache`: Hono's part, and those of the cache itself. */
export interface HonoHttpCacheOptions extends HonoOptions, HttpCacheOptions {}

const isMountPath: Check = (value) =>
  typeof value === "string" && /^(?:\/[^/?#]+)+$/.test(value)
    ? undefined
    : 'a path such as "/admin", without "/" at its end';

export const honoChecks: Checks<HonoOptions> = /* @__PURE__ */ (() => ({
  ...adapterChecks,
  cache: isCache,
  app: isImplementation("a Hono application", "fetch"),
  mountPath: isMountPath,
  waitUntil: isFunction,
}))();
