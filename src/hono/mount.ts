import { type Context, Hono } from "hono";
import type { Exchange } from "../http/locate.js";
import { inheritCaches } from "../http/nesting.js";
import { type Target, toTarget } from "../http/rfc/target.js";
import { executionContext } from "./views.js";

/**
 * Hono's `app.mount("/admin", inner.fetch)` calls the inner application with a new request. Its URL lacks the path of the
 * mount, and nothing leads back to the original request. Two applications that are mounted side by side would share keys.
 * So `mount` records the original URL of each request that it makes.
 */
const originalUrls = rememberMounts();

type Mount = Hono["mount"];

/**
 * Makes `mount` record original URLs, in all applications of this copy of Hono. The records are on its prototype: bundles and
 * hot reloads may load this file more than once, and all of these share them.
 */
function rememberMounts(): WeakMap<Request, string> {
  const key = Symbol.for("valkey-edge-cache.mount");
  const base: { mount?: Mount; [name: symbol]: WeakMap<Request, string> | undefined } = Object.getPrototypeOf(
    Hono.prototype,
  );
  const { mount, [key]: shared } = base;
  if (shared) return shared;
  const urls = new WeakMap<Request, string>();
  if (!mount) return urls;
  base[key] = urls;
  base.mount = function (this: Hono, path, applicationHandler, options) {
    const given = typeof options === "function" ? { optionHandler: options } : options;
    // Hono makes the request, calls optionHandler and then the application, all synchronously.
    let outer: Context | undefined;
    const optionHandler = (c: Context): unknown => {
      outer = c;
      return given?.optionHandler ? given.optionHandler(c) : [c.env, executionContext(c)];
    };
    const handler: typeof applicationHandler = (request, ...rest) => {
      if (outer && request instanceof Request && request !== outer.req.raw) {
        inheritCaches(request, outer.req.raw);
        urls.set(request, mountedUrlOf(outer).originalUrl ?? outer.req.raw.url);
      }
      return applicationHandler(request, ...rest);
    };
    return mount.call(this, path, handler, { ...given, optionHandler });
  };
  return urls;
}

/** What a request's URL does not say about where the application is. */
export type MountedUrl = Pick<Exchange, "originalUrl" | "within">;

const UNMOUNTED: MountedUrl = {};

/** @param mountPath the option of that name */
export function mountedUrlOf(c: Context, mountPath?: string): MountedUrl {
  const { raw } = c.req;
  const remembered = originalUrls.get(raw);
  if (remembered !== undefined) return { originalUrl: remembered };
  if (mountPath === undefined) return mountedUrlInNode(c.env, raw);
  const target = toTarget(raw.url);
  return target ? { originalUrl: `${target.scheme}://${target.host}${mountPath}${target.path}` } : UNMOUNTED;
}

/**
 * Compares the request with Node's own, which node-server puts into the environment. Where the URLs agree, the request is
 * the client's; Express and similar servers keep the full URL as `originalUrl`. Any other request was made by the
 * application, under a mount that can't be seen or for another page. Then both URLs are part of the key.
 */
function mountedUrlInNode(env: unknown, raw: Request): MountedUrl {
  if (typeof env !== "object" || env === null || !("incoming" in env)) return UNMOUNTED;
  const { incoming } = env;
  const line = property(incoming, "url");
  if (typeof line !== "string") return UNMOUNTED;
  const whole = property(incoming, "originalUrl");
  const { url } = raw;
  // The common case, without parsing a URL.
  if (whole === undefined && url.slice(url.indexOf("/", 8)) === line) return UNMOUNTED;
  const current = toTarget(url);
  if (!current) return UNMOUNTED;
  const own = withPath(current, line);
  const full = typeof whole === "string" ? withPath(current, whole) : own;
  if (!own || !full) return { within: typeof whole === "string" ? whole : line };
  if (own.url === current.url) {
    if (full.url === own.url) return UNMOUNTED;
    return isUnder(full.path, own.path) ? { originalUrl: full.url } : { within: full.url };
  }
  // A request without the client's fields does not depend on the client's URL.
  const isFresh = property(property(incoming, "headers"), "host") !== undefined && !raw.headers.has("host");
  return isFresh ? UNMOUNTED : { within: full.url };
}

/** Where node-server's request keeps Node's own, and the web headers that it makes of it when they are first read. */
interface Layout {
  readonly incoming: symbol;
  readonly headers: symbol;
}

let layout: Layout | undefined;
let types: { isProxy(value: unknown): boolean } | undefined;

/**
 * The header fields of a request as Node has parsed them, by name in lower case. Only for a request that node-server has made
 * and whose `headers` were not read yet: after that they may have been changed. A proxy of the request, or an object that
 * inherits from it, may have other headers; both get `undefined`.
 */
export function untouchedFields(env: unknown, raw: Request): Readonly<Record<string, unknown>> | undefined {
  const incoming = property(env, "incoming");
  if (property(incoming, "httpVersionMajor") !== 1 || !isRecord(raw)) return undefined;
  if (!layout || !Object.hasOwn(raw, layout.incoming)) {
    layout = layoutOf(raw, incoming) ?? layout;
    return undefined;
  }
  if (raw[layout.incoming] !== incoming || raw[layout.headers] !== undefined) return undefined;
  types ??= globalThis.process?.getBuiltinModule?.("node:util").types;
  if (Object.hasOwn(raw, "headers") || types?.isProxy(raw) !== false) return undefined;
  const fields = property(incoming, "headers");
  return isRecord(fields) ? fields : undefined;
}

/** Reads the headers, and looks where they are kept. */
function layoutOf(raw: Readonly<Record<PropertyKey, unknown>>, incoming: unknown): Layout | undefined {
  const { headers } = raw;
  const symbolOf = (part: unknown): symbol | undefined =>
    Object.getOwnPropertySymbols(raw).find((symbol) => raw[symbol] === part);
  const found = { incoming: symbolOf(incoming), headers: symbolOf(headers) };
  return found.incoming && found.headers ? { incoming: found.incoming, headers: found.headers } : undefined;
}

/** Whether `whole` is `path` behind the path of a mount. The root of a mount may lack its "/". */
function isUnder(whole: string, path: string): boolean {
  const tail = whole.endsWith(path) ? path : path.replace(/^\/(?=\?|$)/, "");
  return whole.length > tail.length && whole.endsWith(tail);
}

/** @param line of a request, in origin-form or absolute-form */
function withPath({ scheme, host }: Target, line: string): Target | undefined {
  return toTarget(`${scheme}://${host}${line.replace(/^https?:\/\/[^/?#]*/i, "")}`);
}

function property(value: unknown, name: string): unknown {
  return isRecord(value) ? value[name] : undefined;
}

function isRecord(value: unknown): value is Record<PropertyKey, unknown> {
  return typeof value === "object" && value !== null;
}
