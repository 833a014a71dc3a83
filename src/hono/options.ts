import type { Context } from "hono";
import type { Cache } from "../cache/cache.js";
import { type Check, type Checks, checkOptions, isFunction, isImplementation, isText } from "../core/options.js";
import { type HttpCacheOptions, httpCacheChecks } from "../http/options.js";

/** An application, as far as it takes to ask it again. */
export interface Dispatcher {
  fetch(request: Request, env?: unknown, executionCtx?: unknown): Response | Promise<Response>;
}

/** What belongs to Hono alone. */
export interface HonoOptions {
  /** Where responses are kept. @default `c.var.cache`, as `valkeyCache()` sets it */
  cache?: Cache | undefined;
  /** The application that the middleware is used in: with it, stale responses are refreshed in the background. @default the next client waits for it */
  app?: Dispatcher | undefined;
  /** Makes the key, in the place of the URL: all that a response depends on must be in it, or in Vary. @default the URL */
  keyGenerator?: ((c: Context) => string | Promise<string>) | undefined;
  /**
   * The path under which the application is mounted, such as `"/admin"`, where the cache can't see it: with `hono/mount`
   * or a handler of your own, unless `app.mount()` or node-server says what it is. @default none
   */
  mountPath?: string | undefined;
  /** Cache-Control of responses that have none. @default none */
  cacheControl?: string | undefined;
  /** Field names to add to the Vary of every response. @default none */
  vary?: string | readonly string[] | undefined;
  /** Keeps the host running until the promise settles. @default `c.executionCtx.waitUntil`, where the host has it */
  waitUntil?: ((c: Context, work: Promise<void>) => void) | undefined;
}

/** Options of `httpCache`: Hono's part, and those of the cache itself. */
export interface HonoHttpCacheOptions extends HonoOptions, HttpCacheOptions {}

const isVary: Check = (value, name) =>
  Array.isArray(value) && value.every((one) => isText(one, name) === undefined) ? undefined : isText(value, name);

const isMountPath: Check = (value) =>
  typeof value === "string" && /^(?:\/[^/?#]+)+$/.test(value)
    ? undefined
    : 'a path such as "/admin", without "/" at its end';

export const honoChecks: Checks<HonoOptions> = /* @__PURE__ */ (() => ({
  cache: isImplementation("a cache, as createCache() makes it", "for", "makeKey"),
  app: isImplementation("a Hono application", "fetch"),
  keyGenerator: isFunction,
  mountPath: isMountPath,
  cacheControl: isText,
  vary: isVary,
  waitUntil: isFunction,
}))();

/** @throws {ConfigurationError} naming the option that is unknown or wrong */
export function checkHonoOptions(options: HonoHttpCacheOptions): { own: HonoOptions; engine: HttpCacheOptions } {
  checkOptions<HonoHttpCacheOptions>("httpCache", options, { ...httpCacheChecks, ...honoChecks });
  const isOwn = ([name]: [string, unknown]): boolean => Object.hasOwn(honoChecks, name);
  const entries = Object.entries(options);
  return {
    own: Object.fromEntries(entries.filter(isOwn)),
    engine: Object.fromEntries(entries.filter((entry) => !isOwn(entry))),
  };
}
