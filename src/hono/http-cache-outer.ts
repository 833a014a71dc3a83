import type { Context } from "hono";
import { mergeCacheControl } from "../http/cache-control.js";
import type { Fields } from "../http/fields.js";

/** Fields that add up: a response has what middleware outside says, and what it says itself. */
const LISTS: ReadonlySet<string> = new Set(["cache-groups", "cache-tag", "set-cookie", "surrogate-key", "vary"]);

/**
 * Takes off what middleware outside has put into the response so far, such as a request id or CORS: it is this client's, and
 * must not be stored for others. `restoreOuter` puts it back.
 */
export function takeOuter(c: Context): Fields {
  const outer: [string, string][] = [...c.res.headers];
  // Gone as if never touched: Hono would merge it with the handler's response, and so replace that by a copy.
  c.res = undefined;
  c.finalized = false;
  for (const [name] of outer) c.header(name, undefined);
  return outer;
}

/**
 * Puts back what was taken off, as Hono merges headers: what the response has of its own stays, lists add up, and of two
 * words about caching the stricter one stays.
 */
export function restoreOuter(headers: Headers, outer: Fields): void {
  for (const [name, value] of outer) {
    const own = headers.get(name);
    if (name === "expires") restoreExpires(headers, own, value);
    else if (own === null) headers.set(name, value);
    else if (LISTS.has(name)) headers.append(name, value);
    else if (name.endsWith("cache-control") && own !== value) headers.set(name, mergeCacheControl(own, value));
  }
}

/** The earlier of two, and no `max-age` beyond it: that would go first. RFC 9111 §5.3. */
function restoreExpires(headers: Headers, own: string | null, value: string): void {
  const leftMs = Math.max(0, Date.parse(value) - Date.now()) || 0;
  if (own === null || (Date.parse(own) || 0) - Date.now() > leftMs) headers.set("expires", value);
  const control = headers.get("cache-control");
  if (control !== null)
    headers.set("cache-control", mergeCacheControl(control, `max-age=${Math.floor(leftMs / 1_000)}`));
}
