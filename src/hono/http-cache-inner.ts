import type { Context, Next } from "hono";
import type { Forwarded } from "../http/engine/host.js";
import type { HonoOptions } from "./http-cache-options.js";

/** The response of the handlers behind the middleware. Hono's `next()` doesn't throw: errors went to `onError`. */
export async function runInner(c: Context, next: Next, options: HonoOptions): Promise<Forwarded> {
  const before = c.error;
  await next();
  const failed = c.error !== undefined && c.error !== before;
  return { response: failed ? c.res : withDefaults(c.res, options), failed };
}

function withDefaults(response: Response, { cacheControl, vary }: HonoOptions): Response {
  const addsControl = cacheControl !== undefined && !response.headers.has("cache-control");
  if (!addsControl && vary === undefined) return response;
  const changed = new Response(response.body, response);
  if (addsControl) changed.headers.set("cache-control", cacheControl);
  for (const name of vary === undefined ? [] : [vary].flat()) changed.headers.append("vary", name);
  return changed;
}
