import type { FastifyRequest } from "fastify";
import type { Exchange } from "../http/locate.js";
import { toTarget } from "../http/rfc/target.js";
import { property } from "../node/messages.js";
import { locationOf as locationOfRaw, schemeOf } from "../node/request.js";

/** The URLs of a request. */
type Location = Pick<Exchange, "originalUrl" | "within"> & { readonly url: string };

/** They are no URLs where the host is none. @param trustsFastify whether the scheme and the host are what Fastify's `trustProxy` makes of proxies' fields */
export function locationOf(request: FastifyRequest, trustsFastify: boolean): Location {
  const { raw } = request;
  const { url, originalUrl, within } = locationOfRaw(raw);
  const moved = trustsFastify ? mover(request) : undefined;
  const own = moved ? moved(url) : url;
  const whole = originalUrl ?? within;
  if (whole === undefined) return { url: own };
  const asked = moved ? moved(whole) : whole;
  // A URL that the option `rewriteUrl` has made may depend on anything, so both are in the key.
  const isMounted = property(raw, "originalUrl") === `${String(property(raw, "baseUrl"))}${raw.url}`;
  return isMounted ? { url: own, originalUrl: asked } : { url: own, within: asked };
}

/** Gives a URL the scheme and the host that a trusted proxy has named, where it has named others. */
function mover(request: FastifyRequest): ((url: string) => string) | undefined {
  const { raw, protocol, host } = request;
  const isOwnHost = host === (raw.headers.host ?? raw.headers[":authority"] ?? "");
  if (isOwnHost && protocol === schemeOf(raw)) return undefined;
  // What is no host must not become a part of the path.
  const isHost = isOwnHost || toTarget(`${protocol}://${host}/`)?.path === "/";
  return (url) =>
    url.replace(/^https?:\/\/([^/?#]*)/i, (_origin, own: string) =>
      isHost ? `${protocol}://${isOwnHost ? own : host}` : "",
    );
}

/** Whether the URL that routes see is not the one that the application would get again. */
export function isRewritten({ raw }: FastifyRequest): boolean {
  return property(raw, "originalUrl") !== undefined;
}
