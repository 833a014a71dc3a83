import type { IncomingMessage, ServerResponse } from "node:http";
import type { Handler, Outside, Shown, SiteInit } from "./host.js";
import { wholeText } from "./replies.js";

/** A request as frameworks over `node:http` and `node:http2` show it. */
export type NodeRequest = IncomingMessage & {
  readonly authority?: string;
  /** Of Connect and Express: the target before a mount has taken its path off. */
  readonly originalUrl?: string;
  /** Of Express. */
  readonly path?: string;
  readonly query?: unknown;
  readonly hostname?: string;
  readonly protocol?: string;
};

export type Next = (error?: unknown) => void;
export type NodeMiddleware = (req: NodeRequest, res: ServerResponse, next: Next) => void;

/** Fields that one connection has, and HTTP/2 forbids. */
const OF_CONNECTIONS = ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"];

/** The values of a field, from each place where Node has them. */
function valuesOf(req: NodeRequest, name: string): string[] {
  const { headers, headersDistinct, rawHeaders } = req;
  const lines = rawHeaders.flatMap((line, i) => (i % 2 === 1 && rawHeaders[i - 1]?.toLowerCase() === name ? line : []));
  const authority = name === "host" ? (headers[":authority"] ?? headers.host) : undefined;
  return [authority, headers[name], headersDistinct?.[name], lines].flat().flatMap((value) => value ?? []);
}

/** What a proxy says of the target, where nothing of it is in doubt. */
function forwardedTo(req: NodeRequest, trust: readonly string[]): { readonly scheme?: string; readonly host?: string } {
  const said = (part: string): string | undefined =>
    trust.includes(part) ? valuesOf(req, `x-forwarded-${part}`)[0] : undefined;
  const [scheme, host] = [said("proto"), said("host")];
  if (!/^https?$/i.test(scheme ?? "http") || !/^[\w.-]+(?::\d+)?$/.test(host ?? "localhost")) return {};
  return { ...(scheme && { scheme }), ...(host && { host }) };
}

/**
 * The web request that an application makes of what it sees.
 * @param trust the parts of the target that it believes a proxy
 */
export function toRequest(req: NodeRequest, trust: readonly string[] = []): Request {
  const { method = "GET", url = "/", originalUrl = url, socket } = req;
  const {
    scheme = Reflect.get(socket, "encrypted") ? "https" : "http",
    host = valuesOf(req, "host")[0] ?? "localhost",
  } = forwardedTo(req, trust);
  const target = `${scheme}://${host}`;
  // A target in absolute form stays what it is.
  const whole = originalUrl.startsWith("/") ? target + originalUrl : originalUrl;
  const headers = Object.entries(req.headers).flatMap(([name, value]) =>
    name.startsWith(":") ? [] : [value ?? []].flat().map((line): [string, string] => [name, line]),
  );
  return new Request(URL.canParse(whole) ? whole : target, { method, headers });
}

class ShownByNode implements Shown {
  readonly kept: string | undefined;
  readonly #req: NodeRequest;
  readonly #trust: readonly string[];

  constructor(req: NodeRequest, kept: string | undefined, trust: readonly string[]) {
    this.#req = req;
    this.kept = kept;
    this.#trust = trust;
  }

  get path(): string {
    const { path, url = "" } = this.#req;
    return path ?? url.replace(/\?.*$/s, "");
  }

  async body(): Promise<string> {
    const chunks: Buffer[] = [];
    for await (const chunk of this.#req) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks).toString();
  }

  target(): Record<string, unknown> {
    const { method, url, originalUrl = url, query, hostname, protocol } = this.#req;
    const ofExpress = { ...(hostname !== undefined && { hostname, protocol, query: { ...Object(query) } }) };
    return {
      url: toRequest(this.#req, this.#trust).url,
      originForm: originalUrl,
      path: this.path,
      method,
      ...ofExpress,
    };
  }

  values(name: string): string[] {
    return valuesOf(this.#req, name);
  }
}

/** How a handler hands its response to Node. */
export type Sending = (res: ServerResponse, response: Response, isHttp2: boolean) => Promise<void>;

const linesOf = ({ headers }: Response, isHttp2: boolean): [string, string | string[]][] => {
  const own = [...headers].filter(([name]) => name !== "set-cookie" && !(isHttp2 && OF_CONNECTIONS.includes(name)));
  const cookies = headers.getSetCookie();
  return cookies.length > 0 ? [...own, ["set-cookie", cookies]] : own;
};

/** Field by field, and the body as it is made. */
export const sendBySetHeader: Sending = async (res, response, isHttp2) => {
  res.statusCode = response.status;
  for (const [name, value] of linesOf(response, isHttp2)) res.setHeader(name, value);
  await sendBody(res, response);
};

/** All fields at once, and the body as it is made. */
export const sendByWriteHead: Sending = async (res, response, isHttp2) => {
  res.writeHead(response.status, Object.fromEntries(linesOf(response, isHttp2)));
  await sendBody(res, response);
};

async function sendBody(res: ServerResponse, response: Response): Promise<void> {
  const whole = wholeText(response);
  if (whole !== undefined) return void res.end(whole);
  const chunks = response.body?.values();
  try {
    for await (const chunk of chunks ?? []) {
      // A response whose client has left takes no more, and says so to no handler that does not ask.
      if (!res.write(chunk) && !res.destroyed) await drained(res);
    }
    res.end();
  } catch (error) {
    res.destroy(error instanceof Error ? error : new Error(String(error)));
  }
}

function drained(res: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      res.off("drain", end).off("close", end);
      resolve();
    };
    res.on("drain", end).on("close", end);
  });
}

/** What middleware outside the cache has kept of a request. */
const kept = new WeakMap<NodeRequest, string | undefined>();

/** Middleware that stands outside of the cache. */
export function outsideMiddleware(outside: (request: Request) => Outside): NodeMiddleware {
  return (req, res, next) => {
    const { fields = {}, kept: one } = outside(toRequest(req));
    for (const [name, value] of Object.entries(fields)) res.setHeader(name, value);
    kept.set(req, one);
    next();
  };
}

/** A web handler as the innermost middleware. Its errors go to `next`. */
export function handlerMiddleware(handler: Handler, send: Sending, { options }: SiteInit): NodeMiddleware {
  const { trustForwarded = [] } = options ?? {};
  const trust = "fields" in trustForwarded ? trustForwarded.fields : trustForwarded;
  return (req, res, next) => {
    const answer = async (): Promise<void> => {
      const response = await handler(toRequest(req, trust), new ShownByNode(req, kept.get(req), trust));
      await send(res, response, req.httpVersionMajor === 2);
    };
    answer().catch(next);
  };
}
