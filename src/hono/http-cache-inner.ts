import type { Context, Next } from "hono";
import { keepsRequestsApart } from "../core/runtime.js";
import type { Forwarded, OriginRequest } from "../http/engine/host.js";
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

/** A request as handlers are to see it. In Workers it carries more than its parts; elsewhere it may only look like one. */
export function toRequest(raw: Request, { url, fields, signal }: OriginRequest): Request {
  const headers = fields.map(([name, value]): [string, string] => [name, value]);
  if (!keepsRequestsApart()) return new Request(url, { method: raw.method, headers, signal });
  return new Request(raw.url === url ? raw : new Request(url, raw), { headers, signal });
}
