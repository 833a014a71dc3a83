import { type Context, Hono } from "hono";
import type { Exchange } from "../http/http-cache.js";
import { type Target, toTarget } from "../http/rfc/target.js";
import { executionContext } from "./views.js";

/**
 * Hono's `app.mount("/admin", inner.fetch)` calls the inner application with a new request, whose URL has lost the path of
 * the mount, and without a way to the request that it was made of. Two applications mounted side by side would take each
 * other's responses for their own. So the mount notes from which URL it made which request.
 */
const originalUrls = new WeakMap<Request, string>();
const DONE = Symbol.for("valkey-edge-cache.mount");

type Mount = Hono["mount"];

/** Has `mount`, in all applications of this copy of Hono, note where its requests come from. Done when this file is loaded. */
function rememberMounts(): void {
  const base: { mount?: Mount; [DONE]?: true } = Object.getPrototypeOf(Hono.prototype);
  const { mount } = base;
  if (base[DONE] || !mount) return;
  base[DONE] = true;
  base.mount = function (this: Hono, path, applicationHandler, options) {
    const given = typeof options === "function" ? { optionHandler: options } : options;
    // Hono makes the request, asks for the other arguments, and calls: nothing can come between.
    let outer: Context | undefined;
    const optionHandler = (c: Context): unknown => {
      outer = c;
      return given?.optionHandler ? given.optionHandler(c) : [c.env, executionContext(c)];
    };
    const handler: typeof applicationHandler = (request, ...rest) => {
      if (outer && request instanceof Request && request !== outer.req.raw) {
        originalUrls.set(request, placeOf(outer).originalUrl ?? outer.req.raw.url);
      }
      return applicationHandler(request, ...rest);
    };
    return mount.call(this, path, handler, { ...given, optionHandler });
  };
}

/** Where the application is that has got a request, as far as its URL doesn't say. */
export type Place = Pick<Exchange, "originalUrl" | "within">;

const NOWHERE: Place = {};

/** @param mountPath where the application says that it is */
export function placeOf(c: Context, mountPath?: string): Place {
  const { raw } = c.req;
  const remembered = originalUrls.get(raw);
  if (remembered !== undefined) return { originalUrl: remembered };
  if (mountPath === undefined) return placeInNode(c.env, raw);
  const target = toTarget(raw.url);
  return target ? { originalUrl: `${target.scheme}://${target.host}${mountPath}${target.path}` } : NOWHERE;
}

/**
 * What Node's own request tells, which node-server puts into the environment. A request that node-server has made of it is
 * the client's; Express and its like keep the URL that they have taken a path off as `originalUrl`. A request with other
 * words was made by the application: under a mount that can't be seen, or for another page. Both URLs make its key, then.
 */
function placeInNode(env: unknown, raw: Request): Place {
  const incoming = property(env, "incoming");
  const line = property(incoming, "url");
  if (typeof line !== "string") return NOWHERE;
  const whole = property(incoming, "originalUrl");
  const { url } = raw;
  // As nearly all requests come.
  if (whole === undefined && url.slice(url.indexOf("/", 8)) === line) return NOWHERE;
  const seen = toTarget(url);
  if (!seen) return NOWHERE;
  const own = withPath(seen, line);
  const full = typeof whole === "string" ? withPath(seen, whole) : own;
  if (!own || !full) return { within: typeof whole === "string" ? whole : line };
  if (own.url === seen.url) {
    if (full.url === own.url) return NOWHERE;
    return isUnder(full.path, own.path) ? { originalUrl: full.url } : { within: full.url };
  }
  // Made without the client's fields, it can't depend on them.
  const isFresh = property(property(incoming, "headers"), "host") !== undefined && !raw.headers.has("host");
  return isFresh ? NOWHERE : { within: full.url };
}

/** Whether a path is what is left of a whole one, less the path of a mount. The root of a mount is asked for without "/", too. */
function isUnder(whole: string, path: string): boolean {
  const tail = whole.endsWith(path) ? path : path.replace(/^\/(?=\?|$)/, "");
  return whole.length > tail.length && whole.endsWith(tail);
}

/** @param line of a request, in origin-form or absolute-form */
function withPath({ scheme, host }: Target, line: string): Target | undefined {
  return toTarget(`${scheme}://${host}${line.replace(/^https?:\/\/[^/?#]*/i, "")}`);
}

function property(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}

rememberMounts();
