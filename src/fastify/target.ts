import type { Http2ServerRequest } from "node:http2";
import type { FastifyRequest } from "fastify";
import type { Exchange } from "../http/locate.js";

/** The parts of Node's request that say what the client asked for. */
type Raw = FastifyRequest["raw"] & {
  /** The URL before Express or the option `rewriteUrl` has changed it. */
  readonly originalUrl?: string;
  /** What Express has taken off the URL. */
  readonly baseUrl?: string;
};

/** A host name, an IPv4 address or an IPv6 address in brackets, with a port. */
const AUTHORITY = /^(?:[\w.-]+|\[[\da-f:.]+\])(?::\d{1,5})?$/i;

/** No URL where the host is none. @param trustsFastify whether the scheme and the host are what Fastify makes of proxies' fields by its `trustProxy` */
export function urlOf(request: FastifyRequest, trustsFastify: boolean): string {
  const { raw } = request;
  const scheme = trustsFastify
    ? request.protocol
    : "encrypted" in raw.socket && raw.socket.encrypted === true
      ? "https"
      : "http";
  const [, absolute, path = ""] = /^(?:https?:\/\/([^/?#]*))?([/?#].*|)$/is.exec(raw.url ?? "") ?? [];
  const host = absolute ?? hostOf(request, trustsFastify);
  return AUTHORITY.test(host) ? `${scheme}://${host}${path}` : path;
}

/** In HTTP/2 `:authority` goes before a Host field. RFC 9113 §8.3.1. */
function hostOf(request: FastifyRequest, trustsFastify: boolean): string {
  const { headers } = request;
  const own = headers[":authority"] ?? headers.host;
  const said = trustsFastify ? request.host : undefined;
  return String(said === undefined || said === headers.host ? (own ?? "") : said);
}

/** What the URL does not say about where the application is: under a path of Express, or behind the option `rewriteUrl`. */
export function mountOf(request: FastifyRequest, url: string): Pick<Exchange, "originalUrl" | "within"> {
  const { originalUrl, baseUrl, url: path = "" }: Raw = request.raw;
  if (originalUrl === undefined || originalUrl === path) return {};
  const whole = url.slice(0, url.length - path.length) + originalUrl;
  // A rewritten URL may depend on anything, so both are in the key.
  return baseUrl !== undefined && originalUrl === baseUrl + path ? { originalUrl: whole } : { within: whole };
}

/** Whether the URL that routes see is not the one that the application would get again. */
export function isRewritten({ raw }: FastifyRequest): boolean {
  const { originalUrl }: Raw = raw;
  return originalUrl !== undefined;
}

/** HTTP/2 has bodies without a field that announces them. */
export function hasBody({ raw }: FastifyRequest): boolean {
  if (raw.httpVersionMajor !== 2) return false;
  const { stream } = raw as unknown as Http2ServerRequest;
  return !stream.endAfterHeaders;
}
