import fastify, { type FastifyPluginCallback, type FastifyReply, type FastifyRequest } from "fastify";
import { bodyOf, by, CACHE_CONTROL, HOST, KILOBYTES, libraryCache, load, print, url } from "./host.ts";

/** What `@fastify/caching` decorates an application with. */
interface Store {
  get(key: string, done: (error: unknown, cached: { readonly item: string } | null) => void): void;
  set(key: string, value: string, lifetimeMs: number, done: (error: unknown) => void): void;
}

interface CachingOptions {
  readonly privacy: string;
  readonly expiresIn: number;
  readonly cache?: unknown;
}

/** A Fastify application that answers with constants: by itself, behind a cache, or from the store of `@fastify/caching`. */
const app = fastify();
const cache = libraryCache();
const isCaching = by === "fastify-caching" || by === "fastify-caching-redis";
if (cache) {
  const { httpCacheFastify } = await import("valkey-edge-cache/fastify");
  await app.register(httpCacheFastify, { cache });
}
if (isCaching) {
  const plugin = load<FastifyPluginCallback<CachingOptions>>("@fastify/caching");
  await app.register(plugin, { privacy: "public", expiresIn: 3_600, ...redisStore() });
}
for (const kilobytes of KILOBYTES) {
  const body = bodyOf(kilobytes);
  app.get(`/${kilobytes}`, (request, reply) => {
    if (isCaching) fromStore(request, reply, body);
    else reply.header("Cache-Control", CACHE_CONTROL).type("text/plain; charset=utf-8").send(body);
  });
}
const address = await app.listen({ port: 0, host: HOST });
print(Number(new URL(address).port));

/** The plugin stores no responses: as in its documentation, the handler asks the store for the body, and sets it. */
function fromStore(request: FastifyRequest, reply: FastifyReply, body: string): void {
  const { cache: store } = app as unknown as { readonly cache: Store };
  const send = (text: string): void => void reply.type("text/plain; charset=utf-8").send(text);
  store.get(request.url, (error, cached) => {
    if (error) reply.send(error);
    else if (cached) send(cached.item);
    else store.set(request.url, body, 3_600_000, (failed) => (failed ? reply.send(failed) : send(body)));
  });
}

/** The documented store for production; the default one is in memory. */
function redisStore(): { readonly cache?: unknown } {
  if (by !== "fastify-caching-redis") return {};
  const Redis = load<new (url: string) => unknown>("ioredis");
  const abstractCache = load<(options: object) => unknown>("abstract-cache");
  const driver = { name: "abstract-cache-redis", options: { client: new Redis(url) } };
  return { cache: abstractCache({ useAwait: false, driver }) };
}
