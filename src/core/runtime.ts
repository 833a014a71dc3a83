/**
 * Whether this host keeps requests apart: in Cloudflare Workers sockets and promises of one request must not be touched by
 * another. Source: https://developers.cloudflare.com/workers/runtime-apis/web-standards/#navigatoruseragent
 */
export function keepsRequestsApart(): boolean {
  return globalThis.navigator?.userAgent === "Cloudflare-Workers";
}
