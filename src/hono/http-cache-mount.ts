import { type Context, Hono } from "hono";
import { executionContext } from "./http-cache-views.js";

/**
 * Hono's `app.mount("/admin", inner.fetch)` calls the inner application with a new request, whose URL has lost the path of
 * the mount, and without a way to the request that it was made of. Two applications mounted side by side would take each
 * other's responses for their own. So the mount notes from which URL it made which request.
 */
const originalUrls = new WeakMap<Request, string>();
const DONE = Symbol.for("valkey-edge-cache.mount");

type Mount = Hono["mount"];

/** Has `mount`, in all applications of this copy of Hono, note where its requests come from. Called before any is mounted. */
export function rememberMounts(): void {
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
        originalUrls.set(request, originalUrlOf(outer) ?? outer.req.raw.url);
      }
      return applicationHandler(request, ...rest);
    };
    return mount.call(this, path, handler, { ...given, optionHandler });
  };
}

/** The URL that the client asked for, where the application is mounted under a path that its own URLs don't have. */
export function originalUrlOf(c: Context): string | undefined {
  const { raw } = c.req;
  return originalUrls.get(raw) ?? fromNode(c.env, raw.url);
}

/**
 * As Node has it, for other ways to mount: by `hono/mount`, or within Express, which keeps the client's URL as `originalUrl`.
 * One that doesn't end as the application's own does is another one's, which has rewritten the request on purpose.
 */
function fromNode(env: unknown, url: string): string | undefined {
  const incoming = property(env, "incoming");
  if (incoming === undefined) return undefined;
  const line = property(incoming, "originalUrl") ?? property(incoming, "url");
  const [, origin = "", path = ""] = /^(https?:\/\/[^/?#]*)([^#]*)/.exec(url) ?? [];
  if (typeof line !== "string" || line === path) return undefined;
  const [, original = ""] = /^(?:https?:\/\/[^/?#]*)?([^#]*)/i.exec(line) ?? [];
  // The root of a mount at /admin is asked for as /admin, too.
  const tail = original.endsWith(path) ? path : path.replace(/^\/(?=\?|$)/, "");
  const mountPath = original.endsWith(tail) ? original.slice(0, original.length - tail.length) : "";
  return mountPath.startsWith("/") ? origin + original : undefined;
}

function property(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
}
