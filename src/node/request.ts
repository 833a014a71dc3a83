import type { OriginRequest } from "../http/host.js";
import type { Exchange } from "../http/locate.js";
import type { HeaderLines } from "../http/plain-request.js";
import type { Fields } from "../http/rfc/message.js";
import { type NodeRequest, property, type RequestHeaders } from "./messages.js";
import { replaceProperties } from "./properties.js";

/** The header fields of a request as Node has parsed them, without the pseudo-header fields of HTTP/2. */
export class ParsedHeaders implements HeaderLines {
  readonly #headers: RequestHeaders;

  constructor(headers: RequestHeaders) {
    this.#headers = headers;
  }

  get(name: string): string | null {
    const value = Object.hasOwn(this.#headers, name) ? this.#headers[name] : undefined;
    return value === undefined ? null : Array.isArray(value) ? value.join(", ") : value;
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#headers, name);
  }

  *[Symbol.iterator](): Iterator<[string, string]> {
    for (const [name, value] of Object.entries(this.#headers)) {
      if (value === undefined || name.startsWith(":")) continue;
      for (const line of Array.isArray(value) ? value : [value]) yield [name, line];
    }
  }
}

/** A host name, an IPv4 address or an IPv6 address in brackets, with a port. */
const AUTHORITY = /^(?:[\w.-]+|\[[\da-f:.]+\])(?::\d{1,5})?$/i;
const ABSOLUTE_FORM = /^https?:\/\/([^/?#]*)(.*)$/is;

/** Whether a request names its target by a path, as nearly all do: what a router sees of another form can't be changed. */
export function isOriginForm({ url = "" }: NodeRequest): boolean {
  return url.startsWith("/");
}

/** The URLs of a request. They are no URLs where its Host is none. */
export function locationOf(req: NodeRequest): Pick<Exchange, "originalUrl" | "within"> & { readonly url: string } {
  const { url: line = "" } = req;
  const whole = property(req, "originalUrl");
  const [, absolute, rest] = isOriginForm(req) ? [] : (ABSOLUTE_FORM.exec(line) ?? []);
  const authority = absolute ?? property(req.headers, ":authority") ?? req.headers.host;
  const origin = typeof authority === "string" && AUTHORITY.test(authority) ? `${schemeOf(req)}://${authority}` : "";
  const url = origin + (rest ?? line);
  if (typeof whole !== "string" || whole === line || !isOriginForm(req)) return { url };
  const asked = origin + whole;
  return isUnder(whole, line) ? { url, originalUrl: asked } : { url, within: asked };
}

/** As the connection is. A client can write anything into `:scheme`. */
export function schemeOf(req: NodeRequest): "http" | "https" {
  const stream = property(req, "stream");
  const connection = stream === undefined ? req.socket : property(stream, "session");
  return property(connection, "encrypted") === true ? "https" : "http";
}

/** Whether `whole` is `path` behind the path of a mount. The root of a mount may lack its "/". */
function isUnder(whole: string, path: string): boolean {
  const tail = whole.endsWith(path) ? path : path.replace(/^\/(?=\?|$)/, "");
  return whole.length > tail.length && whole.endsWith(tail);
}

/** Whether a request has a body that its header fields don't announce: they need not in HTTP/2. */
export function hasBody(req: NodeRequest): boolean {
  return req.httpVersionMajor > 1 && property(property(req, "stream"), "endAfterHeaders") === false;
}

/** Fields of which Node takes the first line and ignores others. */
const SINGLE: ReadonlySet<string> = new Set([
  "age",
  "authorization",
  "content-length",
  "content-type",
  "etag",
  "expires",
  "from",
  "host",
  "if-modified-since",
  "if-unmodified-since",
  "last-modified",
  "location",
  "max-forwards",
  "proxy-authorization",
  "referer",
  "retry-after",
  "server",
  "user-agent",
]);

interface HeaderViews {
  readonly headers: Record<string, string | string[]>;
  readonly headersDistinct: Record<string, string[]>;
  readonly rawHeaders: string[];
}

/** Header fields in all the forms in which a request of Node has them. */
export function headerViews(fields: Fields): HeaderViews {
  const headers: HeaderViews["headers"] = {};
  const headersDistinct: HeaderViews["headersDistinct"] = Object.create(null);
  for (const [name, value] of fields) {
    headersDistinct[name] = [...(headersDistinct[name] ?? []), value];
    const known = Object.hasOwn(headers, name) ? headers[name] : undefined;
    if (name === "set-cookie") headers[name] = headersDistinct[name];
    else if (known === undefined) headers[name] = value;
    else if (!SINGLE.has(name)) headers[name] = `${String(known)}${name === "cookie" ? "; " : ", "}${value}`;
  }
  return { headers, headersDistinct, rawHeaders: fields.flat() };
}

/** What a URL has behind its host. */
export function pathOf(url: string): string {
  return url.slice(url.indexOf("/", url.indexOf("//") + 2));
}

/** The path of `whole` with the query of `path`. */
export function withQueryOf(whole: string, path: string): string {
  const query = path.indexOf("?");
  return whole.replace(/[?#].*$/s, "") + (query < 0 ? "" : path.slice(query));
}

/**
 * Makes a request show what the cache lets handlers see. It stays the same object, as frameworks hold on to it.
 * @returns makes it show what the client has sent
 */
export function substitute(req: NodeRequest, { url, fields }: OriginRequest): () => void {
  const { headers, headersDistinct, rawHeaders } = headerViews(fields);
  const path = pathOf(url);
  const shown: Record<string, unknown> = { headers, headersDistinct, rawHeaders };
  if (req.httpVersionMajor > 1) {
    const pseudo = {
      ":method": req.method,
      ":path": path,
      ":scheme": url.slice(0, url.indexOf(":")),
      ":authority": headers.host,
    };
    shown.headers = { ...pseudo, ...headers };
    shown.rawHeaders = [...Object.entries(pseudo).flat(), ...rawHeaders];
    Object.assign(shown, { authority: headers.host, scheme: pseudo[":scheme"] });
  }
  if (path !== req.url) {
    shown.url = path;
    const whole = property(req, "originalUrl");
    if (typeof whole === "string") shown.originalUrl = withQueryOf(whole, path);
    // Express 4 has parsed the query before any middleware runs.
    if (Object.hasOwn(req, "query")) shown.query = parsedQuery(req, path);
  }
  return replaceProperties(req, shown);
}

function parsedQuery(req: NodeRequest, path: string): unknown {
  const app = property(req, "app");
  const setting = property(app, "get");
  const parse: unknown = typeof setting === "function" ? Reflect.apply(setting, app, ["query parser fn"]) : undefined;
  const query = path.includes("?") ? path.slice(path.indexOf("?") + 1) : "";
  return typeof parse === "function" ? parse(query) : {};
}
