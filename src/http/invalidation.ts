import type { RequestHead, ResponseHead } from "./exchange.js";
import { fieldValue } from "./fields.js";
import { isSafe } from "./methods.js";

/**
 * The URLs whose stored responses an exchange makes invalid: after a success or redirection of a method that isn't safe,
 * its own, and those in Location and Content-Location that are of the same origin. Without fragments. RFC 9111 §4.4.
 */
export function invalidatedUrls(request: RequestHead, response: ResponseHead): string[] {
  if (isSafe(request.method) || response.status < 200 || response.status >= 400) return [];
  if (!URL.canParse(request.url)) return [];
  const target = new URL(request.url);
  const named = ["location", "content-location"].map((name) => fieldValue(response.fields, name));
  const urls = [target, ...named.map((location) => sameOrigin(location, target))];
  return [...new Set(urls.filter((url) => url !== undefined).map(withoutFragment))];
}

/** Of another origin nothing may be invalidated: that would let one site empty another's cache. */
function sameOrigin(location: string | undefined, target: URL): URL | undefined {
  if (location === undefined || !URL.canParse(location, target.href)) return undefined;
  const url = new URL(location, target);
  return url.protocol === target.protocol && url.host === target.host ? url : undefined;
}

function withoutFragment(url: URL): string {
  const [text = ""] = url.href.split("#", 1);
  return text;
}
