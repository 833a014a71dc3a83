/**
 * Whether this host keeps requests apart: in Cloudflare Workers sockets and promises of one request must not be touched by
 * another, nor in Vercel's edge runtime, which runs there.
 * Source: https://developers.cloudflare.com/workers/runtime-apis/web-standards/#navigatoruseragent and
 * https://vercel.com/docs/functions/runtimes/edge#check-if-you-are-running-on-the-edge-runtime
 */
export function keepsRequestsApart(): boolean {
  return globalThis.navigator?.userAgent === "Cloudflare-Workers" || "EdgeRuntime" in globalThis;
}
