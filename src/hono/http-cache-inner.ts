import type { Context, Next } from "hono";
import type { Forwarded } from "../http/engine/host.js";
import { type Fields, hasField } from "../http/fields.js";
import type { HonoOptions } from "./http-cache-options.js";

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
