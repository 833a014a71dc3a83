import { METHODS, type Server } from "node:http";
import type { Http2Server } from "node:http2";
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import { httpCacheFastify } from "../../src/fastify/index.js";
import { type Client, overHttp1, overHttp2 } from "./clients.js";
import type { HttpHost, Opened, Shown, SiteInit } from "./host.js";
import { wholeText } from "./replies.js";

/** What a hook outside the cache has kept for the handler of a request. */
const kept = new WeakMap<FastifyRequest, string | undefined>();

/** A URL as a handler makes it of what it sees. In HTTP/2 `:authority` goes before a Host field. */
function urlOf({ protocol, host, headers }: FastifyRequest, path = ""): string {
  return `${protocol}://${String(headers[":authority"] ?? host)}${path}`;
}

/** The web request that a handler makes of what it sees. */
function toRequest(request: FastifyRequest): Request {
  const { method, url, headers, body } = request;
  const lines = Object.entries(headers).flatMap(([name, value]) =>
    name.startsWith(":") || value === undefined ? [] : [value].flat().map((line): [string, string] => [name, line]),
  );
  const init = { method, headers: lines, signal: request.signal };
  return new Request(urlOf(request, url), body instanceof Uint8Array ? { ...init, body } : init);
}

class ShownByFastify implements Shown {
  readonly #request: FastifyRequest;

  constructor(request: FastifyRequest) {
    this.#request = request;
  }

  get path(): string {
    return this.#request.url.replace(/\?.*$/s, "");
  }

  get kept(): string | undefined {
    return kept.get(this.#request);
  }

  async body(): Promise<string> {
    const { body, raw } = this.#request;
    if (body instanceof Uint8Array) return new TextDecoder().decode(body);
    let text = "";
    for await (const chunk of raw) text += String(chunk);
    return text;
  }

  target(): Record<string, unknown> {
    const { originalUrl, url, host, protocol, query, method, raw } = this.#request;
    const urls = { url: urlOf(this.#request, originalUrl), raw: urlOf(this.#request, raw.url) };
    // Fastify takes a fragment for a part of the query.
    const parts = url.includes("#") ? {} : { query: { ...(query as object) } };
    return { ...urls, ...parts, host, protocol, method };
  }

  values(name: string): string[] {
    const { headers, raw } = this.#request;
    const lines = raw.rawHeaders.flatMap((line, i) =>
      i % 2 === 1 && raw.rawHeaders[i - 1]?.toLowerCase() === name ? line : [],
    );
    return [headers[name], raw.headers[name], ...lines, ...(raw.headersDistinct?.[name] ?? [])].flatMap(
      (value) => value ?? [],
    );
  }
}

async function fastifySite(
  app: FastifyInstance,
  { cache, options, handler, outside, keyGenerator }: SiteInit,
): Promise<unknown[]> {
  const errors: unknown[] = [];
  for (const method of METHODS)
    if (method !== "CONNECT" && !app.supportedMethods.includes(method)) app.addHttpMethod(method, { hasBody: true });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => done(null, body));
  app.setErrorHandler((_error, _request, reply) => reply.code(500).type("text/plain").send("failed"));
  if (outside) {
    app.addHook("onRequest", async (request, reply) => {
      const { fields = {}, kept: one } = outside(toRequest(request));
      reply.headers(fields);
      kept.set(request, one);
    });
  }
  await app.register(httpCacheFastify, {
    cache,
    onError: (error) => errors.push(error),
    ...options,
    ...(keyGenerator && { keyGenerator: (request: FastifyRequest) => keyGenerator(toRequest(request)) }),
  });
  app.all("/*", async (request: FastifyRequest, reply: FastifyReply) => {
    const response = await handler(toRequest(request), new ShownByFastify(request));
    const whole = wholeText(response);
    if (whole === undefined) return reply.send(response);
    for (const [name, value] of response.headers) reply.header(name, value);
    return reply.code(response.status).send(whole);
  });
  await app.ready();
  return errors;
}

const fastifyHost = (
  protocol: "HTTP/1.1" | "HTTP/2",
  open: (app: FastifyInstance) => Promise<Client>,
  make: () => FastifyInstance,
): HttpHost => ({
  name: `Fastify, ${protocol}`,
  protocol,
  refreshes: true,
  outside: true,
  mounts: false,
  async open(site): Promise<Opened> {
    const app = make();
    const errors = await fastifySite(app, site);
    const client = await open(app);
    const { purge, purgeTags, purgeGroups, purgePrefix } = app.httpCache;
    return {
      ...client,
      errors,
      purge,
      purgeTags,
      purgeGroups,
      purgePrefix,
      async [Symbol.asyncDispose]() {
        await client[Symbol.asyncDispose]();
        await app.close();
      },
    };
  },
});

const settings = { exposeHeadRoutes: false, routerOptions: { maxParamLength: 100_000 } } as const;

export const FASTIFY_HOSTS: readonly HttpHost[] = [
  fastifyHost(
    "HTTP/1.1",
    (app) => overHttp1(app.server as Server),
    () => Fastify(settings),
  ),
  fastifyHost(
    "HTTP/2",
    (app) => overHttp2(app.server as unknown as Http2Server),
    () => Fastify({ ...settings, http2: true }) as unknown as FastifyInstance,
  ),
];
