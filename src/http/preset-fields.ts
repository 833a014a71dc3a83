import { mergeCacheControl } from "./rfc/cache-control.js";
import type { Fields } from "./rfc/message.js";

/** Header fields with list values: the response keeps its own members and those of outer middleware. */
const LISTS: ReadonlySet<string> = new Set(["cache-groups", "cache-tag", "set-cookie", "surrogate-key", "vary"]);

/**
 * Puts preset fields back on a response: its own fields stay, lists are joined, and of two caching directives the stricter
 * one stays.
 */
export function restorePreset(headers: Pick<Headers, "append" | "get" | "set">, preset: Fields): void {
  for (const [name, value] of preset) {
    const own = headers.get(name);
    if (name === "expires") restoreExpires(headers, own, value);
    else if (own === null) headers.set(name, value);
    else if (LISTS.has(name)) headers.append(name, value);
    else if (name.endsWith("cache-control") && own !== value) headers.set(name, mergeCacheControl(own, value));
  }
}

/** Keeps the earlier date, and limits `max-age` to it, as `max-age` takes precedence. RFC 9111 §5.3. */
function restoreExpires(headers: Pick<Headers, "get" | "set">, own: string | null, value: string): void {
  const leftMs = Math.max(0, Date.parse(value) - Date.now()) || 0;
  if (own === null || (Date.parse(own) || 0) - Date.now() > leftMs) headers.set("expires", value);
  const control = headers.get("cache-control");
  if (control !== null)
    headers.set("cache-control", mergeCacheControl(control, `max-age=${Math.floor(leftMs / 1_000)}`));
}
